package look

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// Process is a process of this host.
type Process struct {
	PID int
	// Program is the kernel's name for it, 15 bytes at most.
	Program string
}

func (p Process) String() string {
	if p.PID == 0 {
		return "a process that cannot be seen from here"
	}
	return fmt.Sprintf("%s (process %d)", p.Program, p.PID)
}

// processes lists all but this one. Each may have ended by the time it is looked at.
func processes() ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []int
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && pid != os.Getpid() {
			all = append(all, pid)
		}
	}
	return all, nil
}

func proc(pid int, file string) string { return filepath.Join("/proc", strconv.Itoa(pid), file) }

func process(pid int) Process {
	name, _ := os.ReadFile(proc(pid, "comm")) // it may have ended
	return Process{PID: pid, Program: strings.TrimSpace(string(name))}
}

// Writer is a process that works inside a version, which is a problem once the
// version's write bits are cleared; see Writers.
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

// Writers lists the processes that work inside a version, as far as this process
// may look. Once the version is sealed they cannot write there any more. Root
// still can, and then the version differs from its manifest. A process that opens
// its files only now and then is not seen.
func Writers(root disk.Root, s *versions.Store, version string) ([]Writer, error) {
	dir := s.Path(version) + "/"
	pids, err := processes()
	if err != nil {
		return nil, err
	}
	var all []Writer
	for _, pid := range pids {
		w := Writer{PID: pid}
		if cwd, err := os.Readlink(proc(pid, "cwd")); err == nil && strings.HasPrefix(cwd+"/", dir) {
			w.Path, w.Dir = root.Device(cwd), true
		} else if path := writtenBelow(pid, dir); path != "" {
			w.Path = root.Device(path)
		} else {
			continue
		}
		w.Program = process(pid).Program
		all = append(all, w)
	}
	return all, nil
}

// writtenBelow is a file below dir that the process has open for writing; "" for none.
func writtenBelow(pid int, dir string) string {
	open, err := os.ReadDir(proc(pid, "fd"))
	if err != nil {
		return "" // it has ended, or belongs to another user
	}
	for _, fd := range open {
		path, err := os.Readlink(proc(pid, "fd/"+fd.Name()))
		if err != nil || !strings.HasPrefix(path, dir) {
			continue
		}
		info, err := os.ReadFile(proc(pid, "fdinfo/"+fd.Name()))
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

// Listener is the process that listens on a TCP port of this host; false when there
// is none. Only root sees the processes of other users: one that cannot be seen has no
// PID.
func Listener(port string) (Process, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Process{}, false
	}
	inode := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode == "" {
			inode = socketOn(table, n)
		}
	}
	if inode == "" {
		return Process{}, false
	}
	for _, pid := range socketHolders(inode) {
		return process(pid), true
	}
	return Process{}, true
}

// socketOn is the inode of the socket that listens on a port; see
// Documentation/networking/proc_net_tcp.rst of the kernel.
func socketOn(table string, port uint64) (inode string) {
	const listening = "0A"
	f, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		_, local, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(local, 16, 16); err == nil && n == port {
			return fields[9]
		}
	}
	return ""
}
