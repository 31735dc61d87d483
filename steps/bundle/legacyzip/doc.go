// Package legacyzip reads the update packages of the first generation of devices: a
// ZIP file with a manifest.json that says where its files and directories belong on
// the device.
//
//	{"version": "1.2.3",
//	 "modules": [{"name": "device-api",
//	              "src": "device-api/",
//	              "dst": "/opt/tope/services/device-api",
//	              "process_name": "device-api", "restart_order": 1,
//	              "post_cmds": []}]}
//
// dst below /opt/tope/ is the same path in the version, and /usr/local/bin/X is
// bin/X; there are no other destinations. A src names a file or a directory.
//
// # The ZIP reader
//
// The package has a ZIP reader of its own, for two reasons. First, archive/zip keeps
// some 400 bytes for every entry. With 50,000 entries that is most of the memory a
// small device can spare; the package's reader keeps none and walks the directory as
// often as needed. Second, the reader is strict where archive/zip is tolerant: it
// refuses a file that could be read in two ways. There is one end record, the directory
// ends where that record begins, local headers agree with the directory, the data of
// no two entries overlaps, and all sizes are as declared. The reader takes deflate and
// store only: no encryption, no split archives, nothing in front of the file.
//
// Start at Format.Open; end.go, central.go and local.go read the file's three
// structures from its end to its beginning, manifest.go and placement.go the manifest.
package legacyzip
