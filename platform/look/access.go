package look

import (
	"bufio"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// User is who runs a program.
type User struct {
	Name string
	UID  uint32
	GIDs []uint32
}

// Root is the user for whom modes do not count.
func (u User) Root() bool { return u.UID == 0 }

// UserAt finds a user in the device's /etc/passwd, by name or number, with the groups
// of /etc/group and the further ones. It is not known when it is not in there: systemd
// may make it (DynamicUser=), or a directory server may have it. The empty name is root.
func UserAt(root disk.Root, name string, groups ...string) (u User, known bool) {
	if name == "" {
		return User{Name: "root"}, true
	}
	u.Name = name
	for _, f := range table(root, "/etc/passwd", 4) {
		uid, errUID := strconv.ParseUint(f[2], 10, 32)
		gid, errGID := strconv.ParseUint(f[3], 10, 32)
		if errUID == nil && errGID == nil && (f[0] == name || f[2] == name) {
			u.Name, u.UID, known = f[0], uint32(uid), true
			u.GIDs = []uint32{uint32(gid)}
			break
		}
	}
	if !known {
		return u, false
	}
	for _, f := range table(root, "/etc/group", 4) {
		gid, err := strconv.ParseUint(f[2], 10, 32)
		member := slices.Contains(strings.Split(f[3], ","), u.Name)
		if err == nil && (member || slices.Contains(groups, f[0]) || slices.Contains(groups, f[2])) {
			u.GIDs = append(u.GIDs, uint32(gid))
		}
	}
	return u, true
}

// table reads a file of lines with at least as many fields; see passwd(5).
func table(root disk.Root, device string, least int) (rows [][]string) {
	host, err := root.Resolve(device)
	if err != nil {
		return nil
	}
	f, err := os.Open(host)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) >= least {
			rows = append(rows, fields)
		}
	}
	return rows
}

// Barred is what keeps a user from reaching a place: the first directory on the way
// that the user may not pass, or the file that the user may not execute. It is "" when
// nothing does, and when an access list makes the mode only half of the story.
func (p Place) Barred(u User) (path string, mode fs.FileMode) {
	if u.Root() {
		return "", 0
	}
	for _, d := range p.dirs {
		if !d.mayExecute(u) && !listed(d.host) {
			return d.path, d.Mode
		}
	}
	if p.Info != nil && !ownerOf(p.Info).mayExecute(u) && !listed(p.host) {
		return p.Path, p.Info.Mode()
	}
	return "", 0
}

// mayExecute reports whether a user may execute a file, or pass a directory.
func (o Owner) mayExecute(u User) bool {
	const owner, group, others = 0o100, 0o010, 0o001
	switch {
	case u.UID == o.UID:
		return o.Mode&owner != 0
	case slices.Contains(u.GIDs, o.GID):
		return o.Mode&group != 0
	}
	return o.Mode&others != 0
}

// listed reports whether a file has an access list (acl(5)) besides its mode.
func listed(host string) bool {
	_, err := unix.Lgetxattr(host, "system.posix_acl_access", nil)
	return err == nil
}
