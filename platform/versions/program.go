package versions

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Startable counts the programs of a version and says what keeps some of them
// from being started. It starts nothing.
func (s *Store) Startable(version string) (programs int, problems []Problem, err error) {
	root, err := os.OpenRoot(s.Path(version))
	if err != nil {
		return 0, nil, err
	}
	defer root.Close()
	return s.programs(root)
}

// programs counts the programs of a version and lists those that could not be
// started: without execute bit, for another machine, with an interpreter that the
// device does not have. It starts nothing.
func (s *Store) programs(root *os.Root) (checked int, problems []Problem, err error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return 0, nil, fmt.Errorf("ask the kernel for its machine: %w", err)
	}
	judge := programJudge{
		machines:       machinesOf(unix.ByteSliceToString(uts.Machine[:])),
		hasInterpreter: s.hasInterpreter,
	}
	err = disk.Walk(root, func(name string, info fs.FileInfo) error {
		top, _, _ := strings.Cut(name, "/")
		if !info.Mode().IsRegular() || top != "bin" && top != "services" {
			return nil
		}
		if strings.Contains(filepath.Base(name), ".so") && info.Mode()&0o111 == 0 {
			return nil // loaded, not started, though some (libc.so.6) could be
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
			problems = append(problems, Problem{Path: name, Kind: NotStartable, Text: text})
		}
		return nil
	}, nil)
	return checked, problems, err
}

// CannotStart tells what keeps a file on this host from being executed as a program:
// no execute bit, another machine, an interpreter that the device does not have. It is
// "" when nothing does, and the file is not started.
func (s *Store) CannotStart(host string, has func(device string) bool) (problem string) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return ""
	}
	f, err := os.OpenFile(host, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe of the service keeps nobody waiting
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	if !info.Mode().IsRegular() {
		return "it is not a regular file"
	}
	judge := programJudge{machines: machinesOf(unix.ByteSliceToString(uts.Machine[:])), hasInterpreter: func(name string) bool {
		return has(name) || s.cfg.Root.Dir() != "/" && runs(filepath.Clean(name))
	}}
	_, problem, err = judge.look(f, true, info.Mode()&0o111 != 0)
	if err != nil {
		return err.Error()
	}
	return problem
}

// hasInterpreter looks for a program by its absolute device path. Below --root
// the embedded manager runs programs on the host, so the host's counts as well.
func (s *Store) hasInterpreter(name string) bool {
	host, err := s.cfg.Root.Resolve(name)
	if err != nil {
		return false
	}
	for _, path := range []string{host, filepath.Clean(name)} {
		if runs(path) {
			return true
		}
	}
	return false
}

func runs(host string) bool {
	info, err := os.Stat(host)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// AnotherMachine is in the text of a problem with a program that the kernel does not
// execute by itself. Something else may do so: an emulator that is registered with it.
const AnotherMachine = "a program for another machine"

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
		if is && len(j.machines) > 0 && !slices.Contains(j.machines, e.machine) {
			return is, fmt.Sprintf("%s (ELF machine %d)", AnotherMachine, e.machine), nil
		}
		if is && e.loader != "" && !j.hasInterpreter(e.loader) {
			return is, fmt.Sprintf("its dynamic loader %q is not on the device", e.loader), nil
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
