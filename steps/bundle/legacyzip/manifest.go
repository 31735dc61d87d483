package legacyzip

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

const manifestName = "manifest.json"

// manifest is manifest.json. Other fields than these are skipped: packages carry notes
// for people.
type manifest struct {
	Version string   `json:"version"`
	Modules []module `json:"modules"`
	// PostCmds are commands that stand where nobody runs them.
	PostCmds json.RawMessage `json:"post_cmds"`
}

type module struct {
	Name        string   `json:"name"`
	Src         string   `json:"src"`
	Dst         string   `json:"dst"`
	ProcessName string   `json:"process_name"`
	Order       int      `json:"restart_order"`
	PostCmds    []string `json:"post_cmds"`
}

// parseManifest reads manifest.json and makes all checks that do not need the rest of
// the package.
func parseManifest(data []byte) (*manifest, error) {
	var m manifest
	data, err := plainText(data)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, bundle.WithHint(asUTF8, bundle.InvalidManifest("%s is not UTF-8", manifestName))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&m); err != nil {
		return nil, notJSON(data, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bundle.InvalidManifest("%s has something after its end", manifestName)
	}
	if err := m.version(); err != nil {
		return nil, err
	}
	switch string(m.PostCmds) {
	case "", "null", "[]":
	default:
		return nil, bundle.WithHint("move it into the module that it belongs to, beside its src and dst",
			bundle.InvalidManifest("%s: post_cmds stands at the top, where it would not be run", manifestName))
	}
	if len(m.Modules) == 0 {
		return nil, bundle.InvalidManifest("%s names no modules", manifestName)
	}
	for i, mod := range m.Modules {
		if mod.ProcessName != "" && !validService(mod.ProcessName) {
			return nil, bundle.InvalidManifest("%s: module %d (%q): process_name %q cannot be a service's name",
				manifestName, i, mod.Name, mod.ProcessName)
		}
	}
	if err := bundle.CheckServices(m.release().Services); err != nil {
		return nil, err
	}
	return &m, nil
}

// release is the manifest's release, in the words of package bundle.
func (m *manifest) release() bundle.Release {
	r := bundle.Release{Version: m.Version}
	ordered := slices.Clone(m.Modules)
	sort.SliceStable(ordered, func(i, j int) bool { return ordered[i].Order < ordered[j].Order })
	for _, mod := range ordered {
		name := strings.TrimSuffix(mod.ProcessName, ".service")
		if name != "" && !slices.Contains(r.Services, name) {
			r.Services = append(r.Services, name)
		}
		for _, shell := range mod.PostCmds {
			r.Commands = append(r.Commands, steps.Command{Module: mod.Name, Shell: shell})
		}
	}
	return r
}

// validService accepts a name that systemd takes as a unit's name, and never as an
// option or a path: letters, digits and :-_.@, not beginning with a dash or a dot.
func validService(name string) bool {
	if len(name) > 200 || name[0] == '-' || name[0] == '.' || name == ".service" {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(":-_.@", c) >= 0 {
			continue
		}
		return false
	}
	return true
}
