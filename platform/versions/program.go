package versions

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
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

// programs looks at everything in a version that is meant to be started and
// says what could not be: without execute bit, for another machine, with an
// interpreter the device does not have. It starts nothing.
func (s *Store) programs(root *os.Root) (checked int, problems []Problem, err error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return 0, nil, fmt.Errorf("ask the kernel for its machine: %w", err)
	}
	judge := programJudge{
		machines: machinesOf(unix.ByteSliceToString(uts.Machine[:])),
		hasInterpreter: func(name string) bool {
			host, err := s.cfg.Root.Resolve(name)
			if err != nil {
				return false
			}
			info, err := os.Stat(host)
			return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
		},
	}
	err = disk.Walk(root, func(name string, info fs.FileInfo) error {
		top, _, _ := strings.Cut(name, "/")
		if !info.Mode().IsRegular() || top != "bin" && top != "services" {
			return nil
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		is, text, err := judge.look(f, top == "bin", info.Mode()&0o111 != 0)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if is {
			checked++
		}
		if text != "" {
			problems = append(problems, Problem{Path: path.Clean(name), Kind: NotStartable, Text: text})
		}
		return nil
	}, nil)
	return checked, problems, err
}

// NotStartable is the Kind of a Problem with a program.
const NotStartable = "not startable"

type programJudge struct {
	machines       []uint16
	hasInterpreter func(device string) bool
}

// look says whether a file is a program, and what keeps it from being started.
// Outside bin, scripts and shared objects without execute bit are data: they
// are given to an interpreter or loaded, not started.
func (j programJudge) look(f io.ReaderAt, inBin, executable bool) (is bool, problem string, err error) {
	head := make([]byte, elfHeader)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, "", err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte(elfMagic)):
		e, err := parseELF(f, head)
		if err != nil {
			return executable, "not a whole ELF file: " + err.Error(), nil //nolint:nilerr // about the file, not the reading
		}
		is = executable || inBin || e.program
		if is && e.program && len(j.machines) > 0 && !contains(j.machines, e.machine) {
			return is, fmt.Sprintf("a program for another machine (ELF machine %d)", e.machine), nil
		}
	case bytes.HasPrefix(head, []byte("#!")):
		is = executable || inBin
		if name := interpreter(f); is && !j.hasInterpreter(name) {
			return is, fmt.Sprintf("its interpreter %q is not on the device", name), nil
		}
	case executable && inBin:
		return true, "neither an ELF file nor a script with #!", nil
	}
	if is && !executable {
		return is, "a program without execute bit (chmod +x it)", nil
	}
	return is, "", nil
}

func contains(list []uint16, v uint16) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// interpreter is the path behind a script's #!; empty when there is none.
func interpreter(f io.ReaderAt) string {
	const kernelReads = 256
	line, _ := bufio.NewReader(io.NewSectionReader(f, 2, kernelReads)).ReadString('\n')
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
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
