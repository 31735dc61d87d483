package look

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// maxLinks is how many links the kernel follows for one path; see path_resolution(7).
const maxLinks = 40

// AsIf sees the files of a device as they would be if current led to a certain
// version: with the links outside versions/ that a switch to it would make.
type AsIf struct {
	root     disk.Root
	versions string // the versions directory, as the device sees it with all links followed
	version  string
	links    map[string]string // the links that are not there yet, and current
	made     map[string]bool   // the directories that would be made for them
}

// AsIfCurrent takes the links from the store. version "" is a device on which
// current leads nowhere.
func AsIfCurrent(root disk.Root, s *versions.Store, version string) (*AsIf, error) {
	a := &AsIf{root: root, versions: root.Device(s.Dir()), version: version, links: map[string]string{}, made: map[string]bool{}}
	a.links[filepath.Join(a.versions, versions.Current)] = "v" + version
	if version == "" {
		return a, nil
	}
	links, err := s.Links(version)
	if err != nil {
		return nil, fmt.Errorf("cannot tell the links of version %s: %w", version, err)
	}
	for _, l := range links {
		if l.State != versions.LinkMissing {
			continue
		}
		host, err := root.Path(l.Path)
		if err != nil {
			return nil, err
		}
		link := root.Device(host)
		a.links[link] = l.Target
		for dir := filepath.Dir(link); !a.made[dir]; dir = filepath.Dir(dir) {
			a.made[dir] = true
		}
	}
	return a, nil
}

// Place is where a path of the device leads.
type Place struct {
	// Path is the path with all links followed, as the device sees it. It is told also
	// when nothing is there.
	Path string
	// Version is the version that Path lies in; "" when it is outside the versions.
	Version string
	// Info is of the file or directory that is there; nil when Err is set.
	Info fs.FileInfo
	// Err says why the path leads to nothing: fs.ErrNotExist, or what else the kernel says.
	Err error

	host string
	dirs []dir // the directories on the way
}

// dir is a directory that has to be passed.
type dir struct {
	path string
	host string
	Owner
}

// String is the path, with what is wrong with it.
func (p Place) String() string {
	switch {
	case errors.Is(p.Err, fs.ErrNotExist):
		return p.Path + ", which does not exist"
	case p.Err != nil:
		return fmt.Sprintf("%s: %v", p.Path, p.Err)
	}
	return p.Path
}

// Missing reports whether nothing is there: a file that cannot be looked at for
// another reason may be there.
func (p Place) Missing() bool {
	return errors.Is(p.Err, fs.ErrNotExist) || errors.Is(p.Err, unix.ENOTDIR) || errors.Is(p.Err, unix.ELOOP)
}

// At follows a path of the device.
func (a *AsIf) At(path string) Place { return a.Below("/", path) }

// Below follows a path for a program whose "/" is top: a directory of the device with
// all links followed. Absolute links and ".." stay below it.
func (a *AsIf) Below(top, path string) Place {
	p := Place{Path: top}
	todo := strings.Split(path, "/")
	for followed := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if p.Path != top {
				p.Path = filepath.Dir(p.Path)
			}
			continue
		}
		if p.Err = a.enter(&p); p.Err != nil {
			todo = append([]string{name}, todo...)
			break
		}
		next := filepath.Join(p.Path, name)
		target, isLink, err := a.readLink(next)
		switch {
		case err != nil:
			p.Path, p.Err = next, err
		case !isLink:
			p.Path = next
			continue
		case followed == maxLinks:
			p.Path, p.Err = next, unix.ELOOP
		default:
			followed++
			if filepath.IsAbs(target) {
				p.Path = top
			}
			todo = append(strings.Split(target, "/"), todo...)
			continue
		}
		break
	}
	// The rest of a path that leads to nothing is told all the same.
	if p.Err != nil {
		p.Path = filepath.Join(append([]string{p.Path}, todo...)...)
	} else {
		p.host = a.host(p.Path)
		p.Info, p.Err = os.Lstat(p.host)
	}
	p.Version = a.versionOf(p.Path)
	return p
}

// enter notes a directory that has to be passed.
func (a *AsIf) enter(p *Place) error {
	host := a.host(p.Path)
	info, err := os.Lstat(host)
	if errors.Is(err, fs.ErrNotExist) && a.made[p.Path] {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "enter", Path: p.Path, Err: unix.ENOTDIR}
	}
	p.dirs = append(p.dirs, dir{p.Path, host, ownerOf(info)})
	return nil
}

// readLink tells whether a path is a link, and its target. The path's directory has no
// links in it.
func (a *AsIf) readLink(path string) (target string, isLink bool, err error) {
	if target, ok := a.links[path]; ok {
		if a.version == "" && filepath.Dir(path) == a.versions {
			return "", false, fs.ErrNotExist
		}
		return target, true, nil
	}
	host := a.host(path)
	info, err := os.Lstat(host)
	if errors.Is(err, fs.ErrNotExist) && a.made[path] {
		return "", false, nil
	}
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return "", false, err
	}
	target, err = os.Readlink(host)
	return target, true, err
}

// host is the host path of a device path that has no links in it.
func (a *AsIf) host(path string) string { return filepath.Join(a.root.Dir(), path) }

// versionOf is the version that a path without links lies in.
func (a *AsIf) versionOf(path string) string {
	rest, ok := strings.CutPrefix(path, a.versions+"/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	version, ok := strings.CutPrefix(name, "v")
	if !ok || versions.ValidVersion(version) != nil {
		return ""
	}
	return version
}
