// Package bundletest makes legacy ZIP packages for tests: sound ones, and malicious
// ones, in which every field of every record can be made to lie.
//
// Start at Package for a sound one, and at Zip for the others.
package bundletest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
)

// Modes for Entry.Mode.
const (
	Regular    = 0o100644
	Executable = 0o100755
	Directory  = 0o040755
	Symlink    = 0o120777
)

// Entry is one file of a Zip. The functions and overrides at the end make it lie.
type Entry struct {
	Name string
	Data []byte
	// Mode is the Unix mode, type included; 0 for an entry made on DOS.
	Mode  uint32
	Store bool
	// Descriptor writes sizes and checksum behind the data, as streaming
	// programs do.
	Descriptor bool

	// LocalName is another name in the local header.
	LocalName string
	// Extra and LocalExtra are extra fields.
	Extra, LocalExtra []byte
	// Packed replaces the packed data; the sizes follow it.
	Packed []byte
	// Central and Local edit the fixed part of the records.
	Central, Local func(rec []byte)
	// After is put behind the data.
	After []byte
}

// Zip is a ZIP file in the making.
type Zip struct {
	Entries []Entry
	Comment string
	// Zip64 writes ZIP64 end records.
	Zip64 bool
	// Before is put in front of everything, offsets adjusted; BeforeEnd between
	// the directory and its end record.
	Before, BeforeEnd []byte
	// Central edits the whole directory, End64 the ZIP64 record with its
	// locator, End the end record.
	Central    func(dir []byte) []byte
	End64, End func(rec []byte)
}

var le = binary.LittleEndian

// Bytes writes the file.
func (z Zip) Bytes() []byte {
	var out, dir bytes.Buffer
	out.Write(z.Before)
	for _, e := range z.Entries {
		e.write(&out, &dir)
	}
	central := dir.Bytes()
	if z.Central != nil {
		central = z.Central(central)
	}
	at := out.Len()
	out.Write(central)
	end := make([]byte, 22, 22+len(z.Comment))
	le.PutUint32(end, 0x06054b50)
	le.PutUint16(end[20:], uint16(len(z.Comment)))
	if z.Zip64 {
		z.end64(&out, at, len(central))
		copy(end[8:20], bytes.Repeat([]byte{0xff}, 12))
	} else {
		le.PutUint16(end[8:], uint16(len(z.Entries)))
		le.PutUint16(end[10:], uint16(len(z.Entries)))
		le.PutUint32(end[12:], uint32(len(central)))
		le.PutUint32(end[16:], uint32(at))
	}
	if z.End != nil {
		z.End(end)
	}
	out.Write(z.BeforeEnd)
	out.Write(append(end, z.Comment...))
	return out.Bytes()
}

func (z Zip) end64(out *bytes.Buffer, at, size int) {
	rec := make([]byte, 56+20)
	le.PutUint32(rec, 0x06064b50)
	le.PutUint64(rec[4:], 44)
	le.PutUint64(rec[24:], uint64(len(z.Entries)))
	le.PutUint64(rec[32:], uint64(len(z.Entries)))
	le.PutUint64(rec[40:], uint64(size))
	le.PutUint64(rec[48:], uint64(at))
	le.PutUint32(rec[56:], 0x07064b50)
	le.PutUint64(rec[64:], uint64(out.Len()))
	le.PutUint32(rec[72:], 1)
	if z.End64 != nil {
		z.End64(rec)
	}
	out.Write(rec)
}

func (e Entry) write(out, dir *bytes.Buffer) {
	method, packed := uint16(8), e.Packed
	if e.Store {
		method = 0
	}
	if packed == nil {
		packed = e.Data
		if !e.Store {
			packed = Deflate(e.Data)
		}
	}
	var flags uint16
	if e.Descriptor {
		flags = 8
	}
	localName := e.LocalName
	if localName == "" {
		localName = e.Name
	}
	offset, crc := out.Len(), crc32.ChecksumIEEE(e.Data)

	local := make([]byte, 30)
	le.PutUint32(local, 0x04034b50)
	le.PutUint16(local[4:], 20)
	le.PutUint16(local[6:], flags)
	le.PutUint16(local[8:], method)
	if !e.Descriptor {
		le.PutUint32(local[14:], crc)
		le.PutUint32(local[18:], uint32(len(packed)))
		le.PutUint32(local[22:], uint32(len(e.Data)))
	}
	le.PutUint16(local[26:], uint16(len(localName)))
	le.PutUint16(local[28:], uint16(len(e.LocalExtra)))
	if e.Local != nil {
		e.Local(local)
	}
	out.Write(local)
	out.WriteString(localName)
	out.Write(e.LocalExtra)
	out.Write(packed)
	if e.Descriptor {
		desc := le.AppendUint32(nil, 0x08074b50)
		desc = le.AppendUint32(desc, crc)
		desc = le.AppendUint32(desc, uint32(len(packed)))
		out.Write(le.AppendUint32(desc, uint32(len(e.Data))))
	}
	out.Write(e.After)

	central := make([]byte, 46)
	le.PutUint32(central, 0x02014b50)
	if e.Mode != 0 {
		central[5] = 3
	}
	le.PutUint16(central[6:], 20)
	le.PutUint16(central[8:], flags)
	le.PutUint16(central[10:], method)
	le.PutUint32(central[16:], crc)
	le.PutUint32(central[20:], uint32(len(packed)))
	le.PutUint32(central[24:], uint32(len(e.Data)))
	le.PutUint16(central[28:], uint16(len(e.Name)))
	le.PutUint16(central[30:], uint16(len(e.Extra)))
	le.PutUint32(central[38:], e.Mode<<16)
	le.PutUint32(central[42:], uint32(offset))
	if e.Central != nil {
		e.Central(central)
	}
	dir.Write(central)
	dir.WriteString(e.Name)
	dir.Write(e.Extra)
}

// Deflate compresses data.
func Deflate(data []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestSpeed) // the level is a valid one
	_, _ = w.Write(data)                           // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
