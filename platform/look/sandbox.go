package look

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Sandbox is the view that a process has of the device's files. With mounts of its own it
// may see other directories than the device has, or may not write where others may.
type Sandbox struct{ inside, outside disk.Root }

// SandboxOf is the view of another process. This process's own must be the device's.
func SandboxOf(pid int) Sandbox { return Sandbox{inside: disk.RootOfProcess(pid)} }

// initProcess has the device's own view.
const initProcess = 1

// OwnSandbox is the view of this process. ok is false when this process has the mounts
// of process 1, and so no sandbox, and when it may not look at process 1.
func OwnSandbox() (s Sandbox, ok bool) {
	own, err := os.Readlink("/proc/self/ns/mnt")
	first, ferr := os.Readlink("/proc/1/ns/mnt")
	return Sandbox{outside: disk.RootOfProcess(initProcess)}, err == nil && ferr == nil && own != first
}

// Denial is what a sandbox keeps its process from.
type Denial string

// The kinds of denial. None is the zero value.
const (
	None Denial = ""
	// ReadOnly: the device can write there, and the process cannot.
	ReadOnly Denial = "read-only"
	// Hidden: the process sees something else there than the device does.
	Hidden Denial = "hidden"
)

// Denies tells what the sandbox denies of a path: to see what the device has there and, if
// write is set, to write to it. Of a path that does not exist it is the directory in which it
// would be made that counts. What cannot be looked at is not denied.
func (s Sandbox) Denies(path string, write bool) Denial {
	in, inside, err := nearest(s.inside, path)
	out, outside, oerr := nearest(s.outside, path)
	if err != nil || oerr != nil {
		return None
	}
	if in.device != out.device || !os.SameFile(inside, outside) {
		return Hidden
	}
	readOnly := func(host string) bool { return errors.Is(unix.Access(host, unix.W_OK), unix.EROFS) }
	if write && readOnly(in.host) && !readOnly(out.host) {
		return ReadOnly
	}
	return None
}

type spot struct{ device, host string }

// nearest is the path, or the nearest directory above it that exists.
func nearest(root disk.Root, path string) (spot, fs.FileInfo, error) {
	for {
		host, err := root.Resolve(path)
		if err != nil {
			return spot{}, nil, err
		}
		info, err := os.Stat(host)
		if err == nil {
			return spot{path, host}, info, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || path == "/" {
			return spot{}, nil, err
		}
		path = filepath.Dir(path)
	}
}

// DeniedBySandbox reports whether an error comes from this process's sandbox and not from
// the device's storage: the file system is read-only, and at the error's path it is not so
// outside. A path is in the errors of package os and of package disk.
func DeniedBySandbox(err error) bool {
	if !errors.Is(err, unix.EROFS) {
		return false
	}
	s, ok := OwnSandbox()
	if !ok {
		return false
	}
	for _, path := range pathsOf(err) {
		if filepath.IsAbs(path) && s.Denies(path, true) == ReadOnly {
			return true
		}
	}
	return false
}

// pathsOf are the paths of an error of the operating system.
func pathsOf(err error) []string {
	var one *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &one):
		return []string{one.Path}
	case errors.As(err, &two):
		return []string{two.New, two.Old}
	}
	return nil
}

// MayListen reports whether this process may listen on a port; see ip(7), and
// CAP_NET_BIND_SERVICE in capabilities(7). What cannot be told is taken for a yes.
func MayListen(port int) bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return err != nil || set&(1<<unix.CAP_NET_BIND_SERVICE) != 0 || FreePort(port)
		}
	}
	return true
}

// FreePort reports whether every process may listen on a port.
func FreePort(port int) bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return port >= 1024
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && port >= first
}
