package look

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
)

// UnitFiles are the host paths of a unit's file and of its drop-ins, in the
// order in which systemd reads them. dirs are the manager's directories of unit
// files (service.UnitReader): the first that has the unit hides the others.
func UnitFiles(root disk.Root, dirs []string, unit string) []string {
	var files, dropIns []string
	for _, dir := range dirs {
		dropIns = append(dropIns, filepath.Join(dir, unit+".d"))
		host, err := root.Resolve(filepath.Join(dir, unit))
		if err != nil || len(files) > 0 {
			continue
		}
		if _, err := os.Stat(host); err == nil {
			files = append(files, host)
		}
	}
	return append(files, DropIns(root, dropIns)...)
}

// DropIns are the host paths of the drop-ins (*.conf) in directories of the
// device, in the order in which they are read: by name, wherever they are. One
// in an earlier directory hides those of the same name in later ones.
func DropIns(root disk.Root, dirs []string) []string {
	byName := map[string]string{}
	for _, dir := range slices.Backward(dirs) {
		host, err := root.Resolve(dir)
		if err != nil {
			continue
		}
		found, _ := filepath.Glob(host + "/*.conf") // the pattern is good
		for _, f := range found {
			byName[filepath.Base(f)] = f
		}
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		files = append(files, byName[name])
	}
	return files
}

// Settings are the KEY=VALUE lines of systemd's files; of a key that is set
// more than once, the last counts. A file that cannot be read sets nothing.
func Settings(files []string) map[string]string {
	set := map[string]string{}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
			if ok && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, ";") {
				set[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
		_ = f.Close() // it was only read
	}
	return set
}
