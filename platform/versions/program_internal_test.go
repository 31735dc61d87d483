package versions

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// elfFile is a small ELF file for this judge: header, one program header and,
// with a loader, its name.
func elfFile(class byte, order byteOrder, kind, machine uint16, loader string) []byte {
	const header, size = 64, 56
	b := append([]byte(elfMagic), class, 1, 1)
	if order.Uint16([]byte{0, 1}) == 1 {
		b[5] = elfBig
	}
	b = append(b, make([]byte, elfIdent-len(b))...)
	b = order.AppendUint16(b, kind)
	b = order.AppendUint16(b, machine)
	b = append(b, make([]byte, header-len(b))...)
	program := make([]byte, size)
	order.PutUint32(program, 1) // PT_LOAD
	if loader != "" {
		order.PutUint32(program, ptInterp)
	}
	at, length := uint64(header+size), uint64(len(loader)+1)
	if class == elf64 {
		order.PutUint64(b[32:], header)
		order.PutUint16(b[54:], size)
		order.PutUint16(b[56:], 1)
		order.PutUint64(program[8:], at)
		order.PutUint64(program[32:], length)
	} else {
		order.PutUint32(b[28:], header)
		order.PutUint16(b[42:], size)
		order.PutUint16(b[44:], 1)
		order.PutUint32(program[4:], uint32(at))
		order.PutUint32(program[16:], uint32(length))
	}
	return append(append(append(b, program...), loader...), 0)
}

func TestWhatIsAProgramAndWhatKeepsItFromStarting(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	judge := programJudge{
		machines:       machinesOf("aarch64"),
		hasInterpreter: func(name string) bool { return name == "/bin/sh" || name == "/lib/ld.so" },
	}
	pie := elfFile(elf64, le, etDyn, machineARM64, "/lib/ld.so")
	object := elfFile(elf64, le, etDyn, machineARM64, "")
	for _, c := range []struct {
		name              string
		data              []byte
		inBin, executable bool
		is                bool
		says              string
	}{
		{"a program", pie, true, true, true, ""},
		{"a program in services", pie, false, true, true, ""},
		{"a program without x bit", pie, true, false, true, "without execute bit"},
		{"a program without x bit in services", pie, false, false, true, "without execute bit"},
		{"a static program", elfFile(elf64, le, etExec, machineARM64, ""), true, true, true, ""},
		{"a 32-bit program of the same family", elfFile(elf32, le, etDyn, machineARM, "/lib/ld.so"), true, true, true, ""},
		{"a program for another machine", elfFile(elf64, le, etExec, machineX86_64, ""), true, true, true, "another machine"},
		{"one for another machine and byte order", elfFile(elf32, be, etExec, 8, ""), true, true, true, "ELF machine 8"},
		{"another C library", elfFile(elf64, le, etDyn, machineARM64, "/lib/ld-musl.so"), true, true, true, `loader "/lib/ld-musl.so"`},
		{"a shared object in services", object, false, false, false, ""},
		{"a shared object of another machine, as data", elfFile(elf64, le, etDyn, machineX86_64, ""), false, false, false, ""},
		{"a shared object in bin, or a static program without x bit", object, true, false, true, "without execute bit"},
		{"an ELF file cut short", pie[:30], true, true, true, "not a whole ELF"},
		{"one cut in its program headers", pie[:70], true, true, true, "not a whole ELF"},
		{"one cut in its loader's name", pie[:120], true, true, true, "not a whole ELF"},
		{"a script", []byte("#!/bin/sh -e\n"), true, true, true, ""},
		{"a script with a space", []byte("#! /bin/sh\n"), true, true, true, ""},
		{"a script without x bit", []byte("#!/bin/sh\n"), true, false, true, "without execute bit"},
		{"a script for an interpreter to read", []byte("#!/bin/sh\n"), false, false, false, ""},
		{"a script without interpreter", []byte("#!\n"), true, true, true, `interpreter ""`},
		{"a script with another interpreter", []byte("#!/bin/zsh\n"), false, true, true, `interpreter "/bin/zsh"`},
		{"an x bit on data in bin", []byte("data"), true, true, true, "neither"},
		{"an x bit on an empty file in bin", nil, true, true, true, "neither"},
		{"an x bit on data in services", []byte("data"), false, true, false, ""},
		{"data in bin", []byte("data"), true, false, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			is, problem, err := judge.look(bytes.NewReader(c.data), c.inBin, c.executable)
			require.NoError(t, err)
			require.Equal(t, c.is, is)
			if c.says == "" {
				require.Empty(t, problem)
			}
			require.Contains(t, problem, c.says)
		})
	}
}

func TestMachinesOf(t *testing.T) {
	for uname, want := range map[string][]uint16{
		"x86_64": {machineX86_64, machine386}, "aarch64": {machineARM64, machineARM}, "armv7l": {machineARM},
		"riscv64": {machineRISCV}, "s390x": nil,
	} {
		require.Equal(t, want, machinesOf(uname), uname)
	}
}

// FuzzProgram: whatever a file holds, it is judged without panic, and without
// reading more than a few pages of it.
func FuzzProgram(f *testing.F) {
	f.Add(elfFile(elf64, binary.LittleEndian, etDyn, machineARM64, "/lib/ld.so"))
	f.Add(elfFile(elf32, binary.BigEndian, etDyn, machineARM, "/lib/ld.so"))
	f.Add([]byte("#!/bin/sh\n"))
	f.Add([]byte("#!" + strings.Repeat("x", 5000)))
	judge := programJudge{machines: machinesOf("aarch64"), hasInterpreter: func(string) bool { return true }}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, inBin := range []bool{true, false} {
			_, problem, err := judge.look(bytes.NewReader(data), inBin, true)
			require.NoError(t, err)
			require.Less(t, len(problem), 20_000)
		}
	})
}
