package supply

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// plan says where each content comes from, as in plan.json.
type plan struct {
	// Digest names the release.
	Digest string `json:"digest"`
	// Solid: everything comes from the solid member; Contents is empty.
	Solid bool `json:"solid,omitempty"`
	// Contents has a source for each content of the release, in its order.
	Contents []source `json:"contents,omitempty"`
	// Lacking are the SHA-256s of contents that were planned to come from the
	// device and could not.
	Lacking []string `json:"lacking,omitempty"`
}

// source is where one content comes from.
type source struct {
	// At is a file of an installed version: "1.2.0/bin/device-api". Without
	// Patch it is a copy; with it, the patch's base.
	At string `json:"at,omitempty"`
	// Patch is a position in the payload's patches, plus one.
	Patch int `json:"patch,omitempty"`
}

func (s source) alone() bool { return s.At == "" }

// readPlan returns nil when there is no plan, or when the plan is for another release.
func readPlan(workDir, digest string, contents int) (*plan, error) {
	data, err := os.ReadFile(filepath.Join(workDir, bundle.PlanFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, steps.FromOS(err, "cannot read the plan")
	}
	p := new(plan)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, &steps.Error{Class: steps.Local, Code: steps.IOError, Err: fmt.Errorf("the plan in %s is damaged: %w", workDir, err), Hint: "install again"}
	}
	if p.Digest != digest || !p.Solid && len(p.Contents) != contents {
		return nil, nil
	}
	return p, nil
}

// write makes the plan durable.
func (p *plan) write(workDir string) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	// If the power goes before this returns, the earlier plan is on disk, or none.
	// No piece of the new plan has been requested yet.
	return steps.FromOS(disk.WriteFile(filepath.Join(workDir, bundle.PlanFile), data, 0o600), "cannot keep the plan")
}

// Lack notes durably which contents on this device are damaged or missing, and have to
// come from the bundle.
func Lack(workDir string, sha256 []string) error {
	data, err := json.Marshal(sha256)
	if err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(workDir, bundle.LackingFile), data, 0o600)
}

func readLacking(workDir string) (map[string]bool, error) {
	data, err := os.ReadFile(filepath.Join(workDir, bundle.LackingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []string
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		return nil, steps.FromOS(err, "cannot read what is lacking")
	}
	lacking := map[string]bool{}
	for _, sha := range list {
		lacking[sha] = true
	}
	return lacking, nil
}

// lack changes the plan so that lacking contents come as members of their own, and
// reports whether that changed anything.
func (p *plan) lack(contents []native.Content, lacking map[string]bool) bool {
	changed := false
	for i, c := range contents {
		if !p.Solid && lacking[c.SHA256] && !p.Contents[i].alone() {
			p.Contents[i] = source{}
			p.Lacking = append(p.Lacking, c.SHA256)
			changed = true
		}
	}
	return changed
}

// fetch lists the contents whose member or patch has to be fetched. It lists only -1
// when that is the solid member.
func (p *plan) fetch() []int {
	if p.Solid {
		return []int{-1}
	}
	var list []int
	for i, s := range p.Contents {
		if s.alone() || s.Patch > 0 {
			list = append(list, i)
		}
	}
	return list
}

// choose chooses a source for each content. have maps contents to files of installed
// versions.
func choose(h *native.Head, have map[string]string, maxPatch int64, ranged bool) *plan {
	r := h.Release
	contents := r.Contents()
	p := &plan{Digest: h.Digest, Contents: make([]source, len(contents))}
	best := map[int]int{} // content's first file to patch+1
	for i, t := range r.Payload.Patches {
		if _, there := have[t.Base]; !there || max(t.BaseSize, r.Files[t.File].Size, t.Length) > maxPatch {
			continue
		}
		if at, ok := best[t.File]; !ok || t.Length < r.Payload.Patches[at-1].Length {
			best[t.File] = i + 1
		}
	}
	var cost int64
	missing := false
	for i, c := range contents {
		if at, ok := have[c.SHA256]; ok {
			p.Contents[i] = source{At: at}
			continue
		}
		missing = true
		cost += r.Payload.Alone[i].Length
		if n := best[c.File]; n > 0 && r.Payload.Patches[n-1].Length < r.Payload.Alone[i].Length {
			p.Contents[i] = source{At: have[r.Payload.Patches[n-1].Base], Patch: n}
			cost += r.Payload.Patches[n-1].Length - r.Payload.Alone[i].Length
		}
	}
	if !missing {
		return p
	}
	if !ranged {
		// The source sends everything up to the last piece anyway.
		cost = 0
		for _, i := range p.fetch() {
			s, _ := p.piece(h, i)
			cost = max(cost, s.End()-h.Size)
		}
	}
	if r.Payload.Solid.Length < cost {
		return &plan{Digest: h.Digest, Solid: true}
	}
	return p
}

// piece is where content i's piece lies, and the digest of its bytes.
func (p *plan) piece(h *native.Head, i int) (native.Span, string) {
	switch pay := h.Release.Payload; {
	case i < 0:
		return h.Layout.Solid, pay.Solid.SHA256
	case p.Contents[i].Patch > 0:
		n := p.Contents[i].Patch - 1
		return h.Layout.Patches[n], pay.Patches[n].SHA256
	default:
		return h.Layout.Alone[i], pay.Alone[i].SHA256
	}
}

// valid refuses a plan that does not fit the release. The check is needed because the
// plan came from the disk.
func (p *plan) valid(h *native.Head) error {
	bad := &steps.Error{Class: steps.Local, Code: steps.IOError, Err: errors.New("the plan does not fit the bundle"), Hint: "install again"}
	if p.Solid && h.Release.Payload.Solid == nil {
		return bad
	}
	for _, s := range p.Contents {
		if s.Patch < 0 || s.Patch > len(h.Release.Payload.Patches) || s.Patch > 0 && s.At == "" {
			return bad
		}
	}
	return nil
}

// Installed is what the package needs of *versions.Store.
type Installed interface {
	Manifest(version string) (*versions.Manifest, error)
	Path(version string) string
}

// index finds the wanted contents in the manifests of the versions that pointers lead
// to.
func index(in Installed, p versions.Pointers, wanted map[string]bool) (map[string]string, error) {
	have := map[string]string{}
	done := map[string]bool{"": true}
	for _, v := range []string{p.Current, p.Previous, p.Factory} {
		if done[v] {
			continue
		}
		done[v] = true
		m, err := in.Manifest(v)
		if errors.Is(err, versions.ErrNoManifest) || errors.Is(err, versions.ErrNotFound) || errors.Is(err, versions.ErrDamaged) {
			continue // the version's files are not known
		}
		if err != nil {
			return nil, steps.FromOS(err, "cannot look at version "+v)
		}
		for _, f := range m.Files {
			if f.Type != versions.TypeFile || !wanted[f.SHA256] {
				continue
			}
			if _, there := have[f.SHA256]; !there {
				have[f.SHA256] = v + "/" + f.Path
			}
		}
	}
	return have, nil
}
