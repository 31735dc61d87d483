// Package legacyzip reads the update packages of the first generation of devices:
// a ZIP file with a manifest.json that says which of its files and directories
// belong where on the device.
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
// The reader is the package's own, for two reasons. archive/zip keeps some 400
// bytes for every entry, which is most of the memory a small device can spare
// when a package has 50,000 of them; this one walks the directory as often as
// needed. And it is strict where archive/zip is tolerant: a file that could be
// read in two ways is refused. There is one end record, the directory ends
// where it begins, local headers agree with the directory, the data of no two
// entries overlaps, sizes are what they are declared to be. Deflate and
// store only; no encryption, no split archives, nothing in front of the file.
//
// Start at Format.Open; end.go, central.go and local.go read the file's three
// structures from its end to its beginning, manifest.go and placement.go the manifest.
package legacyzip
