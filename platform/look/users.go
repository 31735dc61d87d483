package look

import (
	"bytes"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
)

// DataUsers tells which service a writable directory of a version is for.
type DataUsers struct {
	Root disk.Root
	// Units are the texts of service units, by name: the file and its drop-ins, in the
	// order in which systemd reads them.
	Units map[string][][]byte
	// Versions, Shared and Services are the configured directories.
	Versions, Shared, Services string
}

// UnitTexts reads units for DataUsers. dirs are the manager's directories of unit files; a file
// of that name in carried, which may be "", takes the place of the device's own. Units that
// have no file are left out.
func UnitTexts(root disk.Root, dirs []string, carried string, names ...string) map[string][][]byte {
	texts := map[string][][]byte{}
	if info, err := os.Lstat(carried); err != nil || !info.IsDir() {
		carried = "" // a link has no units of the version in it: unitfiles.Store.Carried
	}
	if carried != "" {
		found, _ := filepath.Glob(carried + "/*.service") // the pattern is good
		for _, f := range found {
			names = append(names, filepath.Base(f))
		}
	}
	for _, name := range names {
		if texts[name] != nil {
			continue
		}
		files := UnitFiles(root, dirs, name)
		own, err := os.Lstat(filepath.Join(carried, name))
		if carried != "" && err == nil && own.Mode().IsRegular() {
			if len(files) > 0 && filepath.Base(files[0]) == name {
				files = files[1:]
			}
			files = append([]string{filepath.Join(carried, name)}, files...)
		}
		for _, f := range files {
			if text, err := os.ReadFile(f); err == nil { // else systemd cannot read it either
				texts[name] = append(texts[name], text)
			}
		}
	}
	return texts
}

// DataUser is a service that a writable directory is for, and the user that it runs as.
type DataUser struct {
	Unit string
	User User
}

// Of are the services that a writable directory is for: those whose units name it, by any
// of the paths that lead to it, or else the one that the directory has the name of, as
// services/NAME/data does. Those whose user is not in the device's list of users
// (DynamicUser=) are left out.
func (d DataUsers) Of(dir string) (all []DataUser) {
	paths := []string{path.Join(d.Shared, dir), path.Join(d.Versions, versions.Current, dir)}
	first, rest, _ := strings.Cut(dir, "/")
	if first == "services" {
		paths = append(paths, path.Join(d.Services, rest))
		first, _, _ = strings.Cut(rest, "/")
	}
	var named, alike []DataUser
	for _, unit := range slices.Sorted(maps.Keys(d.Units)) {
		l := unitfiles.Launch(unit, d.Units[unit]...)
		user, known := UserAt(d.Root, l.User)
		if !known || strings.Contains(l.User, "%") {
			continue
		}
		one := DataUser{unit, user}
		switch base, _, _ := strings.Cut(strings.TrimSuffix(unit, ".service"), "@"); {
		case slices.ContainsFunc(paths, func(p string) bool { return names(d.Units[unit], p) }):
			named = append(named, one)
		case base == first && first != "":
			alike = append(alike, one)
		}
	}
	if len(named) > 0 {
		return named
	}
	return alike
}

// names reports whether a path, or one below it, stands in a text outside comments.
func names(texts [][]byte, p string) bool {
	for _, text := range texts {
		for line := range bytes.Lines(text) {
			line = bytes.TrimSpace(line)
			if bytes.HasPrefix(line, []byte("#")) || bytes.HasPrefix(line, []byte(";")) {
				continue
			}
			for at := 0; ; {
				i := bytes.Index(line[at:], []byte(p))
				if i < 0 {
					break
				}
				at += i + len(p)
				if at == len(line) || bytes.IndexByte([]byte("/ \t\"':;,"), line[at]) >= 0 {
					return true
				}
			}
		}
	}
	return false
}

// Owner is the user whom all those services run as, and that user's group. ok is false when
// there is none, when they do not agree, and for root.
func (d DataUsers) Owner(dir string) (u User, gid uint32, ok bool) {
	all := d.Of(dir)
	if len(all) == 0 || slices.ContainsFunc(all, func(o DataUser) bool { return o.User.UID != all[0].User.UID }) {
		return u, 0, false
	}
	u = all[0].User
	if u.Root() || len(u.GIDs) == 0 {
		return u, 0, false
	}
	return u, u.GIDs[0], true
}

// MayWrite reports whether a user may make files in a directory of this owner and mode.
func (o Owner) MayWrite(u User) bool {
	const owner, group, others = 0o300, 0o030, 0o003
	switch has := func(bits os.FileMode) bool { return o.Mode&bits == bits }; {
	case u.Root():
		return true
	case u.UID == o.UID:
		return has(owner)
	case slices.Contains(u.GIDs, o.GID):
		return has(group)
	default:
		return has(others)
	}
}

// MayWriteIn is MayWrite for a directory at a host path. One with an access list (acl(5)) is
// taken for a yes: its mode is only half of the story.
func MayWriteIn(host string, u User) (o Owner, may bool, err error) {
	if o, err = OwnerOf(host); err != nil {
		return o, false, err
	}
	return o, o.MayWrite(u) || listed(host), nil
}

// UnitDirs are the directories of unit files of a manager; none when its services have none.
func UnitDirs(m service.Manager) []string {
	if k, ok := m.(service.UnitKeeper); ok {
		return k.UnitDirs()
	}
	return nil
}
