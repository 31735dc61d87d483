package bundle

// Room is what unpacking needs on a file system, in bytes and inodes, rounded
// up: a block more for each path, what the version's manifest takes, and a
// margin that keeps the rest of the device alive.
func (t Totals) Room() (bytes, inodes uint64) {
	const (
		block    = 4096
		describe = 512 // in the manifest, for each entry
		margin   = 8 << 20
	)
	entries := uint64(t.Files + t.Dirs)
	return uint64(t.Bytes) + entries*(block+describe) + margin, entries + 16
}
