package pack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tope/updater/steps/bundle/native"
)

// Why is the reason for which a content has no patch against an earlier release.
type Why string

// The reasons. They are in pack's JSON, so they stay as they are.
const (
	// NoBase: the earlier release has no file of that name, nor of one that differs in
	// digests and numbers only.
	NoBase Why = "no_base"
	// TooLarge: the content or its base has more bytes than devices patch.
	TooLarge Why = "too_large"
	// NoGain: the patch is no smaller than the content's own member.
	NoGain Why = "no_gain"
)

// Unpatched is a changed content without a patch against an earlier release: a device
// with that release downloads the whole content.
type Unpatched struct {
	Path string
	// From is the earlier release, by its name for people.
	From string
	Why  Why
	// Fetch is how many bytes the device downloads for it.
	Fetch int64
}

// job is one patch to make.
type job struct {
	base    *Base
	content int
	sha     string
	path    string
}

// patches makes a patch for each changed content and base. It keeps a patch only if it
// is smaller than the content's own member. Patches are ordered by base, so that those
// that a device needs lie next to each other.
func (o *Options) patches(ctx context.Context, b *Bundle, contents []native.Content) error {
	dir := filepath.Join(o.Scratch, "patches")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	lacks := func(base *Base, content int, why Why) {
		b.Unpatched = append(b.Unpatched, Unpatched{
			Path: b.Release.Files[contents[content].File].Path, From: base.Name, Why: why, Fetch: b.Release.Payload.Alone[content].Length,
		})
	}
	var jobs []job
	seen := map[[2]string]bool{}
	for _, base := range o.Bases {
		for i, c := range contents {
			sha, why := base.From(b.Release.Files[c.File], o.MaxPatch)
			key := [2]string{sha, c.SHA256}
			switch {
			case sha == c.SHA256, seen[key]:
			case why != "":
				lacks(base, i, why)
			default:
				seen[key] = true
				jobs = append(jobs, job{base, i, sha, filepath.Join(dir, fmt.Sprint(len(jobs)))})
			}
		}
	}
	done := counter{total: int64(len(jobs)), tell: func(d, t int64) { o.Progress("making patches", d, t) }}
	err := parallel(ctx, runtime.NumCPU(), len(jobs), func(i int) error {
		defer done.add(1)
		j := jobs[i]
		return o.Compressor.patch(ctx, j.base.files[j.sha], o.path(b.Release.Files[contents[j.content].File]), j.path)
	})
	if err != nil {
		return fmt.Errorf("make patches: %w", err)
	}
	for _, j := range jobs {
		m, err := shortMemberOf(j.path)
		if err != nil {
			return err
		}
		if m.Length >= b.Release.Payload.Alone[j.content].Length {
			lacks(j.base, j.content, NoGain)
			continue
		}
		m.Codec = native.ZstdPatch
		b.Release.Payload.Patches = append(b.Release.Payload.Patches, native.Patch{
			File: contents[j.content].File, Base: j.sha, BaseSize: j.base.sizes[j.sha], Member: m,
		})
		b.patches = append(b.patches, j.path)
	}
	return nil
}
