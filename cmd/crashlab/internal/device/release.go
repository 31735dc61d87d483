package device

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/tope/updater/platform/filecaps"
)

// Release is one release of the two services.
type Release struct {
	Version string
	// API and Web are how the services behave; see Service.
	API, Web string
	// Tool names a program that only this release has.
	Tool string
	// Updater is the content of its own updater, if it carries one; it is never run.
	Updater string
	// Art: it has a font, which is the same in all such releases, and a picture
	// that changes a little in each release. Neither can be compressed.
	Art bool
	// Able: Tool has file capabilities. Only a native bundle can carry them.
	Able bool
	// Spoilt are files that are damaged where this release is installed.
	Spoilt []string
}

// Files that a native bundle may leave out.
const (
	font    = "services/web-server/font.bin"
	picture = "services/web-server/picture.bin"
)

// ownUpdater is the updater in a version, committedUpdater the one outside.
const (
	ownUpdater       = "bin/tope-updater"
	committedUpdater = "usr/lib/tope-updater/tope-updater"
)

// updater is a release's own updater: longer than a page, and different in each release.
func (r Release) updater() []byte {
	return append([]byte("updater "+r.Updater+"\n"), noise(9000)...)
}

// Interpreter runs the scripts that releases are made of.
const Interpreter = "/proc/1/exe"

// program is a script as Service reads it. The last line shows that it is whole.
func (r Release) program(name, listen, behaviour string) []byte {
	return fmt.Appendf(nil, "#!%s %s\nname %s\nversion %s\nlisten %s\nbehaviour %s\nend\n",
		Interpreter, ServiceArg, name, r.Version, listen, behaviour)
}

// files are the files of the version, by path; those in bin are programs.
func (r Release) files() map[string][]byte {
	files := map[string][]byte{
		"bin/device-api": r.program("device-api", addrAPI, r.API),
		"bin/web-server": r.program("web-server", addrWeb, r.Web),
		// More than two pages, none of them zeros.
		"services/web-server/page.html":    []byte(strings.Repeat("version "+r.Version+" of the page. ", 400)),
		"services/web-server/i18n/de.json": []byte(`{"version": "Fassung ` + r.Version + "\"}\n"),
	}
	if r.Tool != "" {
		files["bin/"+r.Tool] = r.program(r.Tool, "", "")
	}
	if r.Updater != "" {
		files[ownUpdater] = r.updater()
	}
	if r.Art {
		files[font] = noise(3000)
		files[picture] = append(fmt.Appendf(nil, "version %s ", r.Version), noise(2500)...)
	}
	return files
}

// installed are the files as they are on the device.
func (r Release) installed() map[string][]byte {
	files := r.files()
	for _, p := range r.Spoilt {
		files[p] = spoil(files[p])
	}
	return files
}

// spoil changes a file as a bad sector does.
func spoil(data []byte) []byte {
	bad := bytes.Clone(data)
	for i := len(bad) / 2; i < len(bad) && i < len(bad)/2+8; i++ {
		bad[i] ^= 0xff
	}
	return bad
}

// noise is n bytes that cannot be compressed, always the same.
func noise(n int) []byte {
	var out []byte
	for i := 0; len(out) < n; i++ {
		sum := sha256.Sum256(fmt.Append(nil, n, i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// zip is the release as a legacy package.
func (r Release) zip() ([]byte, error) {
	type module struct {
		Name    string `json:"name"`
		Src     string `json:"src"`
		Dst     string `json:"dst"`
		Process string `json:"process_name,omitempty"`
	}
	mods := []module{
		{"device-api", "bin/device-api", "/usr/local/bin/device-api", "device-api"},
		{"web-server", "bin/web-server", "/usr/local/bin/web-server", "web-server"},
		{"pages", "services/web-server", "/opt/tope/services/web-server", ""},
	}
	if r.Updater != "" {
		mods = append(mods, module{"updater", ownUpdater, "/usr/local/" + ownUpdater, ""})
	}
	if r.Tool != "" {
		mods = append(mods, module{r.Tool, "bin/" + r.Tool, "/usr/local/bin/" + r.Tool, ""})
	}
	manifest, err := json.Marshal(map[string]any{"version": r.Version, "modules": mods})
	if err != nil {
		return nil, err
	}
	files := r.files()
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	add := func(path string, data []byte) error {
		h := &zip.FileHeader{Name: path, Method: zip.Deflate}
		h.SetMode(0o644)
		if strings.HasPrefix(path, "bin/") {
			h.SetMode(0o755)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	}
	if err := add("manifest.json", manifest); err != nil {
		return nil, err
	}
	for _, p := range paths {
		if err := add(p, files[p]); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return out.Bytes(), err
}

// able returns an error when a file has other capabilities than the release gives it.
func (r Release) able(rel, p string) error {
	var want filecaps.Set
	if r.Able && rel == "bin/"+r.Tool {
		want = rights()
	}
	got, err := filecaps.Of(p)
	if err == nil && got != want {
		err = fmt.Errorf("%s has the capabilities %q, not %q", rel, got, want)
	}
	return err
}

// rights are the capabilities of a Tool that has any.
func rights() filecaps.Set { return filecaps.Set{Permitted: 1 << 10, Effective: true} }

// whole returns the fault of the version at dir, which should be this release:
// its files, their bytes, bits and capabilities, and nothing else. Files that were spoilt
// beforehand must be as bad as they were.
func (r Release) whole(dir string) error {
	want := r.installed()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch data, ok := want[rel]; {
		case info.Mode().Perm()&0o222 != 0:
			return fmt.Errorf("%s can be written (%s)", rel, info.Mode())
		case d.IsDir(), rel == ".tope-manifest.json":
			return nil
		case !ok:
			return fmt.Errorf("%s is not part of the release", rel)
		default:
			got, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			if !bytes.Equal(got, data) {
				return fmt.Errorf("%s has other bytes than the release (%d, should be %d)", rel, len(got), len(data))
			}
			if strings.HasPrefix(rel, "bin/") && info.Mode().Perm()&0o111 == 0 {
				return fmt.Errorf("%s cannot be executed (%s)", rel, info.Mode())
			}
			delete(want, rel)
			return r.able(rel, p)
		}
	})
	if err != nil {
		return err
	}
	for p := range want {
		return fmt.Errorf("%s is missing", p)
	}
	if _, err := os.Stat(filepath.Join(dir, ".tope-manifest.json")); err != nil {
		return fmt.Errorf("it has no manifest")
	}
	return nil
}
