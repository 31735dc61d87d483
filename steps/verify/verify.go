// Package verify is the step that decides whether a bundle is acceptable, before a
// byte of it is unpacked: its digest and size are the declared ones, its format and
// manifest are sound, its version is the one that was asked for, every path in it
// is allowed in a version, and the device has room for it.
//
// Verify changes nothing on the device, except that it removes unused versions when
// room is short. So Probe never finds it done: after a cut the step runs again, which
// costs a walk through the bundle's directory. It does not take the bundle's digest
// again as long as the one that Download took counts (steps.Fetched).
package verify

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// Config configures the step. All fields except Limits and Space.MakeRoom are required.
type Config struct {
	Clock   clock.Clock
	Formats []bundle.Format
	Limits  bundle.Limits
	// TrustWindow is how long the digest that Download took counts; 0 for no limit.
	TrustWindow time.Duration
	// Unsigned is what bundles may bring for which nobody vouches. Units says that unit
	// files are put into effect on this device.
	Unsigned bundle.Unsigned
	Units    bool
	// Space is where there must be room to unpack.
	Space bundle.Space
}

// Step implements steps.Step.
type Step struct{ cfg Config }

// New returns the step.
func New(cfg Config) *Step { return &Step{cfg} }

// Evidence has Verify's findings. The embedded Fetched is the proof of the bundle's
// bytes, and says when it was made.
type Evidence struct {
	steps.Fetched
	Version string `json:"version"`
	// Hashed is set when the digest was taken by this step.
	Hashed bool  `json:"hashed,omitempty"`
	Files  int   `json:"files"`
	Dirs   int   `json:"dirs"`
	Bytes  int64 `json:"bytes"`
	// NeedBytes and NeedInodes are the room that Verify required.
	NeedBytes  uint64   `json:"need_bytes"`
	NeedInodes uint64   `json:"need_inodes"`
	Services   []string `json:"services,omitempty"`
	steps.Verified
	// Dropped tells what entries of the bundle have and the version will not.
	Dropped string `json:"dropped,omitempty"`
	// Freed are the versions removed to make room.
	Freed []string `json:"freed,omitempty"`
}

var _ steps.Fact = Evidence{}

// Probe implements steps.Step. There is nothing to find.
func (s *Step) Probe(context.Context, *steps.Task) (steps.Reach, error) {
	return steps.NotStarted, nil
}

// Undo implements steps.Step. There is nothing to undo.
func (s *Step) Undo(context.Context, *steps.Task) error { return nil }

// Do implements steps.Step. The outcome's Release has the digest, the version
// and the services.
func (s *Step) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	path := filepath.Join(t.WorkDir, bundle.FileName)
	fetched, hashed, err := s.prove(ctx, t, path)
	if err != nil {
		return steps.Outcome{}, err
	}
	if err := declared(t.Source, fetched); err != nil {
		return steps.Outcome{}, err
	}
	if ctx.Err() != nil {
		return steps.Outcome{}, steps.Stopped(ctx, "verify "+path)
	}
	b, err := bundle.Open(path, s.cfg.Limits, s.cfg.Formats...)
	if err != nil {
		return steps.Outcome{}, err
	}
	release, totals := b.Release(), b.Totals()
	var carried bundle.Carried
	if release.SignedBy == "" {
		carried, err = bundle.CarriedIn(b, s.cfg.Units)
	}
	if err := errors.Join(err, b.Close()); err != nil {
		return steps.Outcome{}, steps.FromOS(err, "cannot close the bundle")
	}
	if err := bundle.CheckDeclared(t, release); err != nil {
		return steps.Outcome{}, err
	}
	if err := bundle.CheckSigned(t, release); err != nil {
		return steps.Outcome{}, err
	}
	if err := s.cfg.Unsigned.Check(release, carried); err != nil {
		return steps.Outcome{}, err
	}
	if err := bundle.CheckAge(t, release, s.cfg.Clock.Now()); err != nil {
		return steps.Outcome{}, err
	}
	digest := release.Digest
	if digest == "" {
		digest = "md5:" + fetched.MD5
	}
	ev := Evidence{
		Fetched: fetched, Hashed: hashed, Version: release.Version,
		Files: totals.Files, Dirs: totals.Dirs, Bytes: totals.Bytes,
		Services: release.Services, Dropped: release.Dropped,
		Verified: steps.Verified{Commands: release.Commands, Epoch: release.Epoch, Brought: release.Brought, SignedBy: release.SignedBy},
	}
	ev.NeedBytes, ev.NeedInodes = totals.Room()
	if ev.Freed, err = s.cfg.Space.Room(ctx, t, ev.NeedBytes, ev.NeedInodes); err != nil {
		return steps.Outcome{Evidence: ev}, err
	}
	return steps.Outcome{Evidence: ev, Release: steps.Release{
		Version: release.Version, Digest: digest, Services: release.Services,
	}}, nil
}

// prove returns the proof of the bundle's bytes: Download's, if it still counts,
// or else one that it makes by reading the file.
func (s *Step) prove(ctx context.Context, t *steps.Task, path string) (steps.Fetched, bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return steps.Fetched{}, false, steps.FromOS(err, "the bundle is not there")
	}
	var fetched steps.Fetched
	if t.Facts.Download != nil {
		fetched = t.Facts.Download.Fetched
	}
	if fetched.Size != 0 && fetched.Size != info.Size() {
		return steps.Fetched{}, false, &steps.Error{
			Class: steps.Local, Code: steps.SizeMismatch,
			Err:  fmt.Errorf("%s has %d bytes, but %d were downloaded", path, info.Size(), fetched.Size),
			Hint: "the storage lost some of it; download it again",
		}
	}
	if fetched.Digest != "" {
		// The bundle's head proves its parts, and is read again anyway.
		t.Meter.Set(fetched.Size, fetched.Size)
		return fetched, false, nil
	}
	if fetched.MD5 != "" && fetched.Fresh(s.cfg.Clock.Now(), s.cfg.TrustWindow) {
		t.Meter.Set(fetched.Size, fetched.Size)
		return fetched, false, nil
	}
	// The size comes first: a bundle of the wrong size need not be hashed.
	fetched = steps.Fetched{Size: info.Size(), MD5: t.Source.MD5}
	if err := declared(t.Source, fetched); err != nil {
		return steps.Fetched{}, false, err
	}
	fetched.At = s.cfg.Clock.Now()
	var sha string
	if fetched.MD5, sha, err = digests(ctx, t.Meter, path, info.Size(), t.Source.SHA256 != ""); err == nil && sha != t.Source.SHA256 {
		err = &steps.Error{
			Class: steps.Refused, Code: steps.SHA256Mismatch,
			Err:  fmt.Errorf("the bundle's SHA-256 is %s, declared was %s", sha, t.Source.SHA256),
			Hint: "check what was published against what was declared", Outline: "the bundle's SHA-256 is not the declared one",
		}
	}
	return fetched, true, err
}

// declared compares the bundle with the request's declarations.
func declared(src steps.Source, f steps.Fetched) error {
	if src.Size != 0 && src.Size != f.Size {
		return &steps.Error{
			Class: steps.Refused, Code: steps.SizeMismatch,
			Err:  fmt.Errorf("the bundle has %d bytes, declared were %d", f.Size, src.Size),
			Hint: "check what was published against what was declared", Outline: "the bundle is not of the declared size",
		}
	}
	if src.MD5 != "" && f.MD5 != "" && src.MD5 != f.MD5 {
		return &steps.Error{
			Class: steps.Refused, Code: steps.MD5Mismatch,
			Err:  fmt.Errorf("the bundle's MD5 is %s, declared was %s", f.MD5, src.MD5),
			Hint: "check what was published against what was declared", Outline: "the bundle's MD5 is not the declared one",
		}
	}
	return nil
}

// digests reads the whole bundle. The SHA-256 is empty when it is not wanted.
func digests(ctx context.Context, meter *steps.Meter, path string, size int64, wanted bool) (md, sha string, err error) {
	what := "cannot hash the bundle"
	f, err := os.Open(path)
	if err != nil {
		return "", "", steps.FromOS(err, what)
	}
	defer f.Close()
	meter.Set(0, size)
	sum := md5.New() // the legacy API declares no better digest
	sums := []hash.Hash{sum}
	if wanted {
		sums = append(sums, sha256.New())
	}
	buf := make([]byte, 128<<10)
	for {
		if ctx.Err() != nil {
			return "", "", steps.Stopped(ctx, what)
		}
		n, err := f.Read(buf)
		for _, sum := range sums {
			sum.Write(buf[:n])
		}
		meter.Add(int64(n))
		if errors.Is(err, io.EOF) {
			if wanted {
				sha = hex.EncodeToString(sums[1].Sum(nil))
			}
			return hex.EncodeToString(sum.Sum(nil)), sha, nil
		}
		if err != nil {
			return "", "", steps.FromOS(err, what)
		}
	}
}
