package bundle

// Room is the room that unpacking needs on a file system, in bytes and inodes, rounded
// up. It includes one more block for each path, the version's manifest, and a margin
// that the rest of the device needs to go on running.
func (t Totals) Room() (bytes, inodes uint64) {
	const (
		block    = 4096
		describe = 512 // in the manifest, for each entry
		margin   = 8 << 20
	)
	entries := uint64(t.Files + t.Dirs)
	return uint64(t.Bytes) + entries*(block+describe) + margin, entries + 16
}
