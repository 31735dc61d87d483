package versions

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Writer is a process that works inside a version, whose write bits are to go.
type Writer struct {
	PID     int    `json:"pid"`
	Program string `json:"program"`
	// Path is in the version, as the device sees it.
	Path string `json:"path"`
	// Dir: it is the process's working directory; else a file open for writing.
	Dir bool `json:"dir"`
}

func (w Writer) String() string {
	if w.Dir {
		return fmt.Sprintf("%s (process %d) has its working directory in the version: %s", w.Program, w.PID, w.Path)
	}
	return fmt.Sprintf("%s (process %d) has a file of the version open for writing: %s", w.Program, w.PID, w.Path)
}

// Writers lists the processes that work inside a version, as far as this
// process may look: once it is sealed they cannot write there any more, except as
// root, and then the version differs from its manifest. It looks once: a process
// that opens its files now and then can be missed.
func (s *Store) Writers(version string) ([]Writer, error) {
	dir := s.Path(version) + "/"
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []Writer
	for _, proc := range processes {
		pid, err := strconv.Atoi(filepath.Base(proc))
		if err != nil || pid == os.Getpid() {
			continue
		}
		w := Writer{PID: pid}
		if cwd, err := os.Readlink(proc + "/cwd"); err == nil && strings.HasPrefix(cwd+"/", dir) {
			w.Path, w.Dir = s.cfg.Root.Device(cwd), true
		} else if w.Path = writtenBelow(proc, dir); w.Path != "" {
			w.Path = s.cfg.Root.Device(w.Path)
		} else {
			continue
		}
		name, _ := os.ReadFile(proc + "/comm") // it may be gone already
		w.Program = strings.TrimSpace(string(name))
		all = append(all, w)
	}
	return all, nil
}

// writtenBelow is a file below dir that the process has open for writing; "" for none.
func writtenBelow(proc, dir string) string {
	open, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return "" // gone, or not ours to look into
	}
	for _, fd := range open {
		path, err := os.Readlink(filepath.Join(proc, "fd", fd.Name()))
		if err != nil || !strings.HasPrefix(path, dir) {
			continue
		}
		info, err := os.ReadFile(filepath.Join(proc, "fdinfo", fd.Name()))
		if err != nil {
			continue
		}
		_, flags, _ := strings.Cut(string(info), "flags:\t")
		flags, _, _ = strings.Cut(flags, "\n")
		if mode, err := strconv.ParseUint(flags, 8, 64); err == nil && mode&uint64(os.O_WRONLY|os.O_RDWR) != 0 {
			return path
		}
	}
	return ""
}
