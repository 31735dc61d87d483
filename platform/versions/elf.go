package versions

import (
	"encoding/binary"
	"io"
	"strings"
)

// What is read of an ELF header; see elf(5).
const (
	elfMagic     = "\x7fELF"
	elfHeader    = 64
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

// machinesOf is which ELF machines a kernel runs, by uname's name for itself.
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
		return nil // unknown: nothing to hold a program against
	}
}

type elfInfo struct {
	machine uint16
	program bool // meant to be started, rather than loaded by one that is
}

// parseELF reads as much of an ELF file as tells a program from a shared
// object: debug/elf would do, at the price of 200 kB of decompressors.
func parseELF(f io.ReaderAt, head []byte) (elfInfo, error) {
	if len(head) < 20 {
		return elfInfo{}, io.ErrUnexpectedEOF
	}
	class, order := head[4], binary.ByteOrder(binary.LittleEndian)
	if head[5] == elfBig {
		order = binary.BigEndian
	}
	info := elfInfo{machine: order.Uint16(head[18:])}
	kind := order.Uint16(head[16:])
	if kind != etDyn {
		info.program = kind == etExec
		return info, nil
	}
	var offset int64
	var size, count uint16
	switch {
	case class == elf64 && len(head) >= 64:
		offset, size, count = int64(order.Uint64(head[32:])), order.Uint16(head[54:]), order.Uint16(head[56:]) //nolint:gosec // ReadAt refuses a negative offset
	case class == elf32 && len(head) >= 52:
		offset, size, count = int64(order.Uint32(head[28:])), order.Uint16(head[42:]), order.Uint16(head[44:])
	default:
		return elfInfo{}, io.ErrUnexpectedEOF
	}
	// A position-independent program has an interpreter; a shared object has none.
	entry := make([]byte, 4)
	for i := range int64(count) {
		if _, err := f.ReadAt(entry, offset+i*int64(size)); err != nil {
			return elfInfo{}, err
		}
		if order.Uint32(entry) == ptInterp {
			info.program = true
			break
		}
	}
	return info, nil
}
