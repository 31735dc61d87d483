package versions

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// Offsets and values of an ELF header; see elf(5).
const (
	elfMagic     = "\x7fELF"
	elfHeader    = 64
	elfIdent     = 16 // bytes before the first number of two bytes
	maxLoader    = 4096
	elf32, elf64 = 1, 2
	elfBig       = 2
	etExec       = 2
	etDyn        = 3
	ptInterp     = 3

	machine386    = 3
	machineARM    = 40
	machineX86_64 = 62
	machineARM64  = 183
	machineRISCV  = 243
)

// machinesOf returns the ELF machines that a kernel runs, by the machine in uname.
func machinesOf(uname string) []uint16 {
	switch {
	case uname == "x86_64":
		return []uint16{machineX86_64, machine386}
	case uname == "aarch64":
		return []uint16{machineARM64, machineARM}
	case strings.HasPrefix(uname, "arm"):
		return []uint16{machineARM}
	case strings.HasPrefix(uname, "riscv"):
		return []uint16{machineRISCV}
	default:
		return nil // unknown: every program passes
	}
}

type elfInfo struct {
	machine uint16
	// program: meant to be started, not to be loaded by another program.
	program bool
	// loader is the absolute path of the dynamic loader; empty when static.
	loader string
}

// parseELF reads as much of an ELF file as tells a program from a shared
// object: debug/elf would do, at the price of 200 kB of decompressors. After its
// magic the file may hold anything.
func parseELF(f io.ReaderAt, head []byte) (elfInfo, error) {
	if len(head) < elfIdent+4 {
		return elfInfo{}, io.ErrUnexpectedEOF
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == elfBig {
		order = binary.BigEndian
	}
	kind := order.Uint16(head[elfIdent:])
	info := elfInfo{machine: order.Uint16(head[elfIdent+2:]), program: kind == etExec}
	if kind != etExec && kind != etDyn {
		return info, nil
	}
	var offset int64 // of the program headers
	var size, count int
	wide := head[4] == elf64
	switch {
	case wide && len(head) >= 64:
		offset = int64(order.Uint64(head[32:]))
		size, count = int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	case head[4] == elf32 && len(head) >= 52:
		offset = int64(order.Uint32(head[28:]))
		size, count = int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	default:
		return elfInfo{}, io.ErrUnexpectedEOF
	}
	for i := range count {
		header, err := readAt(f, offset+int64(i)*int64(size), 40, 20)
		if err != nil {
			return elfInfo{}, err
		}
		if order.Uint32(header) != ptInterp {
			continue
		}
		// A shared object names no loader: this is a program, position
		// independent or not.
		info.program = true
		at, length := int64(order.Uint32(header[4:])), uint64(order.Uint32(header[16:]))
		if wide {
			if len(header) < 40 {
				return elfInfo{}, io.ErrUnexpectedEOF
			}
			at, length = int64(order.Uint64(header[8:])), order.Uint64(header[32:])
		}
		name, err := readAt(f, at, int(min(length, maxLoader)), 1)
		if err != nil {
			return elfInfo{}, err
		}
		info.loader, _, _ = strings.Cut(string(name), "\x00")
		break
	}
	return info, nil
}

// readAt reads up to size bytes, and fails with fewer than least.
func readAt(f io.ReaderAt, offset int64, size, least int) ([]byte, error) {
	if offset < 0 || size < least {
		return nil, io.ErrUnexpectedEOF
	}
	buf := make([]byte, size)
	n, err := f.ReadAt(buf, offset)
	if n >= least {
		return buf[:n], nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
