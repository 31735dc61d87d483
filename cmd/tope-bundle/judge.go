package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
	"github.com/tope/updater/steps/bundle/supply"
	"github.com/tope/updater/steps/bundle/trust"
)

// This file judges releases for devices that are somewhere else, with the devices' own
// code: supply.Judge and the checks of package bundle that Verify and Stage make. What
// only a device can know (its room, its own units, its quarantine) is not asked.

// judged is a device in the eyes of its publisher: flags describe it.
type judged struct {
	product, hardware, updater string
	epoch                      int64
	commands, force            bool
}

// has is an earlier release that devices have, from --from.
type has struct {
	name string
	pack.Facts
}

// native refuses a release that the device would not take, whichever of the releases it has.
func (d judged) native(r *native.Release, digest string, devices []has) error {
	if err := advised(d.judge().Release(d.task(), r), d.epoch); err != nil {
		return err
	}
	for _, h := range devices {
		if err := d.after(r, digest, h); err != nil {
			return steps.FromOS(err, "a device with "+h.name)
		}
	}
	return nil
}

// advised says what a publisher does about a release that is too old for a device that
// has committed an epoch. The device's code says what those do who install it.
func advised(err error, epoch int64) error {
	var e *steps.Error
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	switch e.Code {
	case steps.EpochTooLow:
		told.Hint = fmt.Sprintf("pack or convert it with --epoch %d, or use --force if devices are meant to go back", epoch)
	case steps.ReleaseExpired:
		told.Hint = "give it a later expires in its description"
	default:
		return err
	}
	return &told
}

func (d judged) judge() *supply.Judge {
	return &supply.Judge{Product: d.product, Hardware: d.hardware, Updater: d.updater, Units: unitfiles.Check, Clock: clock.System()}
}

func (d judged) task() *steps.Task { return &steps.Task{EpochFloor: d.epoch, Force: d.force} }

// after judges the release for a device that has another one.
func (d judged) after(r *native.Release, digest string, h has) error {
	j, t := d.judge(), d.task()
	j.Product, t.EpochFloor = h.Product, h.Epoch
	err := j.Release(t, r)
	if len(h.Hardware) > 0 && err == nil {
		// One kind of hardware that takes both is enough.
		taken := slices.ContainsFunc(h.Hardware, func(hardware string) bool {
			j.Hardware = hardware
			err = j.Release(t, r)
			return err == nil
		})
		if taken {
			err = nil
		}
	}
	if err != nil || digest != "" && digest == h.Digest {
		return advised(err, h.Epoch)
	}
	return d.forward(r.Version, h)
}

// forward refuses a version that is not above the one that devices have.
func (d judged) forward(version string, h has) error {
	if h.Version == "" || d.force {
		return nil
	}
	switch c := versions.Compare(version, h.Version); {
	case c == 0:
		return &steps.Error{
			Class: steps.Refused, Code: steps.VersionConflict,
			Err:  fmt.Errorf("version %s is there already, with other content", version),
			Hint: "publish the release under another version",
		}
	case c < 0:
		return &steps.Error{
			Class: steps.Refused, Code: steps.VersionConflict,
			Err:  fmt.Errorf("version %s would be a step back from %s", version, h.Version),
			Hint: "give it a higher version, or use --force if devices are meant to go back",
		}
	}
	return nil
}

// legacy refuses a legacy package as Verify and Stage do, and reads every byte of it.
func (d judged) legacy(b bundle.Bundle, devices []has) error {
	r, t := b.Release(), d.task()
	if err := bundle.CheckCommands(r, d.commands); err != nil {
		return err
	}
	if err := advised(bundle.CheckAge(t, r, time.Now()), d.epoch); err != nil {
		return err
	}
	for _, h := range devices {
		err := advised(bundle.CheckAge(&steps.Task{EpochFloor: h.Epoch, Force: d.force}, r, time.Now()), h.Epoch)
		if err == nil {
			err = d.forward(r.Version, h)
		}
		if err != nil {
			return steps.FromOS(err, "a device with "+h.name)
		}
	}
	var files []unitfiles.File
	links, types := map[string]string{}, map[string]bundle.Type{}
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		files = append(files, unitfiles.File{Path: e.Path, Regular: e.Type == bundle.File, Size: e.Size, Link: e.Type == bundle.Link})
		if types[e.Path] = e.Type; e.Type == bundle.Link {
			links[e.Path] = e.Target
		}
	}
	if err := bundle.CheckUnits(r.Version, files, unitfiles.Check); err != nil {
		return err
	}
	if err := bundle.CheckLinks(links, func(p string) (bundle.Type, bool) { typ, ok := types[p]; return typ, ok }); err != nil {
		return err
	}
	for e, err := range b.Entries() {
		if err == nil && e.Type == bundle.File {
			err = readEntry(r.Version, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readEntry reads a file to its end, which proves its checksum.
func readEntry(version string, e bundle.Entry) error {
	data, err := contentOf(e)
	if name, is := strings.CutPrefix(e.Path, unitfiles.Dir+"/"); is && err == nil {
		return bundle.CheckUnitText(version, name, data)
	}
	return err
}

// signers say whose signature counts.
type signers struct {
	pubs []string
	keys string
	any  bool
}

func (s *signers) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.pubs, "pub", nil, "public key `file`; may be given several times")
	cmd.Flags().StringVar(&s.keys, "keys", "", "`directory` of keys as a device has it: judge the signature as that device does")
	cmd.Flags().BoolVar(&s.any, "any-signature", false, "do not check the signature")
}

// policy is what a device with the key directory trusts.
func (s *signers) policy() (trust.Policy, error) {
	dir, err := filepath.Abs(s.keys)
	if err != nil {
		return trust.Policy{}, err
	}
	if _, err := os.ReadDir(dir); err != nil {
		return trust.Policy{}, fmt.Errorf("cannot read the keys: %w", err)
	}
	root, err := disk.NewRoot("/")
	return trust.Policy{Root: root, Directory: dir, RequireSignature: true, Now: time.Now}, err
}

// judge returns the judge of signatures; by tells who signed, after it was called.
func (s *signers) judge(by *string) (func(packed, signature []byte) error, error) {
	given := 0
	for _, is := range []bool{len(s.pubs) > 0, s.keys != "", s.any} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, usagef("name the public keys it may be signed by (--pub FILE, or --keys DIR), or say --any-signature")
	case s.any:
		return anySignature, nil
	case s.keys == "":
		return signedBy(s.pubs, by)
	}
	p, err := s.policy()
	return func(packed, signature []byte) (err error) {
		*by, err = p.Signature(packed, signature)
		return err
	}, err
}

// legacy refuses a legacy package where a signature counts: it has none.
func (s *signers) legacy() error {
	if s.any {
		return nil
	}
	if s.keys != "" {
		p, err := s.policy()
		if err != nil {
			return err
		}
		return p.Unsignable("zip")
	}
	return &steps.Error{
		Class: steps.Refused, Code: steps.BadSignature,
		Err:  errors.New("it is a legacy package (ZIP), which cannot be signed"),
		Hint: "make a bundle of it with tope-bundle convert, or say --any-signature",
	}
}

// earlier opens what --from names: a release's bundle or directory, or a version alone.
func earlier(name string, open func() (*pack.Base, error)) (has, *pack.Base, error) {
	version := strings.TrimPrefix(name, "v")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && versions.ValidVersion(version) == nil {
		return has{"version " + version, pack.Facts{Version: version}}, nil, nil
	}
	b, err := open()
	if err != nil {
		return has{}, nil, err
	}
	return has{name, b.Facts}, b, nil
}
