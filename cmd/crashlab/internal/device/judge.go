//go:build linux && amd64

package device

import (
	"context"
	"errors"
	"slices"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Judge implements sweep.Bench. Already before the device boots, current leads to
// a whole version: the old one, the new one or the factory's. Then the device
// boots. These rules hold after that boot, whatever had happened before:
//
//   - recover ends, and a second recover changes nothing;
//   - every pointer leads to a whole version, byte for byte the release;
//   - every directory with a version's name is whole;
//   - the links of current are there; while a version is not committed, the
//     marker is;
//   - the journal can be read, its chain verifies, it is not damaged.
//
// At the end, the update is over, the pointers are as its outcome says, nothing
// temporary is left, and success that was reported is there. And the next update works.
func (d *Device) Judge(ctx context.Context, s sweep.Story, depth sweep.Depth) (string, error) {
	if s.Hung {
		return "", sweep.Violate("the updater did not end within %s; it printed: %s", trace.Timeout, d.printed())
	}
	end, err := d.judge(ctx, s, depth)
	var v *sweep.Violation
	if errors.As(err, &v) {
		return "", sweep.Violate("%s; the updater printed: %s", v.What, d.printed())
	}
	return end, err
}

func (d *Device) judge(ctx context.Context, s sweep.Story, depth sweep.Depth) (string, error) {
	if err := d.asFound(); err != nil {
		return "", err
	}
	m, err := d.boot(sweep.Watch{})
	if err != nil {
		return "", err
	}
	defer m.Off()
	f, err := d.recovered(ctx, m, s)
	if err != nil {
		return "", err
	}
	if depth == sweep.Quick {
		if u := f.journal; u != nil && u.Open != nil {
			return string(u.Open.State), nil
		}
		return d.end(f).String(), nil
	}
	end, err := d.finished(ctx, m, s)
	if err != nil || depth < sweep.Next {
		return end.String(), err
	}
	m.Off()
	return end.String(), d.next(ctx, s, end)
}

// asFound checks a device before anything has repaired it.
func (d *Device) asFound() error {
	current, err := d.pointer("current")
	if err != nil || current == "" && d.flow.Empty {
		return err
	}
	if current == "" {
		return sweep.Violate("before recovery there is no current")
	}
	return d.leadsToWhole("before recovery current", current)
}

// recovered boots as far as the services, and checks the rules for that point.
func (d *Device) recovered(ctx context.Context, m *machine, s sweep.Story) (facts, error) {
	if err := d.mustRecover(ctx, m, s); err != nil {
		return facts{}, err
	}
	f, err := d.look()
	if err != nil {
		return f, err
	}
	if err := d.holds(f, s); err != nil {
		return f, err
	}
	return f, d.unmoved("a second recover", func() error { return d.mustRecover(ctx, m, s) })
}

// mustRecover runs the oneshot of a boot.
func (d *Device) mustRecover(ctx context.Context, m *machine, s sweep.Story) error {
	exit, err := m.updater(ctx, false, "recover")
	if errors.Is(err, errHung) {
		return sweep.Violate("recover did not end")
	}
	if err != nil || exit == 0 {
		return err
	}
	f, ferr := d.look()
	if ferr == nil && d.flow.Empty && (exit == 1 && f.journal == nil || exit == 13 && f.current == "") {
		return nil // it fails like this where there is no journal, or no version
	}
	return sweep.Violate("recover ended with %d", exit)
}

// holds checks the rules for every device that has recovered.
func (d *Device) holds(f facts, s sweep.Story) error {
	allowed := []string{d.base.current, d.base.factory}
	for _, e := range slices.Concat(d.flow.Ends, d.flow.More) {
		allowed = append(allowed, e.Current)
	}
	// A bad version is current until its gate has failed.
	if u := f.since(d.base.seq()); u != nil && !u.Closed {
		allowed = append(allowed, u.To)
	}
	if !slices.Contains(allowed, f.current) {
		return sweep.Violate("current is %s, neither the old nor the new version", orNone(f.current))
	}
	if err := d.wholeVersions(); err != nil {
		return err
	}
	for name, version := range map[string]string{"current": f.current, "previous": f.previous, "factory": f.factory} {
		if version == "" {
			continue
		}
		if err := d.leadsToWhole(name, version); err != nil {
			return err
		}
	}
	if f.factory != d.base.factory {
		return sweep.Violate("factory is %s and was %s", orNone(f.factory), orNone(d.base.factory))
	}
	if err := d.committed(f, false); err != nil {
		return err
	}
	if f.current != "" {
		if err := d.linksOf(f.current); err != nil {
			return err
		}
	}
	return d.journalHolds(f, s)
}

// journalHolds checks the journal against the rest of the device.
func (d *Device) journalHolds(f facts, s sweep.Story) error {
	if f.journal == nil {
		if !d.flow.Empty || f.current != "" {
			return sweep.Violate("the journal is gone")
		}
		return nil
	}
	if f.journal.Damage != nil {
		return sweep.Violate("the journal was found damaged: %s", f.journal.Damage.Text)
	}
	if f.seq() < d.base.seq() {
		return sweep.Violate("the journal has lost records: it ends with %d, and had %d before the update", f.seq(), d.base.seq())
	}
	u := f.since(d.base.seq())
	committed := u != nil && u.State == "Committed"
	if s.Promised && !committed {
		return sweep.Violate("success was reported, and the journal does not have it")
	}
	if committed && f.current != u.To {
		return sweep.Violate("the update to %s is committed, and current is %s", u.To, orNone(f.current))
	}
	if !committed && f.current != d.base.current && f.current != d.base.factory && f.marker == "" {
		return sweep.Violate("current is %s, which is not committed, and there is no marker", f.current)
	}
	return nil
}

// finished goes on with the boot to the end of the update.
func (d *Device) finished(ctx context.Context, m *machine, s sweep.Story) (End, error) {
	if err := m.services(ctx); err != nil {
		return End{}, err
	}
	if err := d.mustFinish(ctx, m); err != nil {
		return End{}, err
	}
	f, err := d.look()
	if err != nil {
		return End{}, err
	}
	if err := d.holds(f, s); err != nil {
		return End{}, err
	}
	end := d.end(f)
	if err := d.over(f, end, s); err != nil {
		return end, err
	}
	return end, d.unmoved("finishing again", func() error { return d.mustFinish(ctx, m) })
}

// mustFinish does the daemon's part. Its exit status says how the update ended.
func (d *Device) mustFinish(ctx context.Context, m *machine) error {
	exit, err := m.updater(ctx, false, "recover", "--finish")
	if errors.Is(err, errHung) {
		return sweep.Violate("recover --finish did not end")
	}
	if err == nil && !slices.Contains([]int{0, 1, 10, 12, 13}, exit) {
		return sweep.Violate("recover --finish ended with %d", exit)
	}
	return err
}

// end is how the device ended.
func (d *Device) end(f facts) End {
	e := End{unchanged, f.current, f.previous}
	if u := f.since(d.base.seq()); u != nil {
		e.State = string(u.State)
	}
	return e
}

// over checks a device whose update is over.
func (d *Device) over(f facts, end End, s sweep.Story) error {
	if f.journal != nil && f.journal.Open != nil {
		return sweep.Violate("recover --finish ended, and the update is still open (%s)", f.journal.Open.State)
	}
	if f.marker != "" {
		return sweep.Violate("the update is over, and the marker is still there")
	}
	if err := d.tidy(); err != nil {
		return err
	}
	if err := d.committed(f, s.Fault == ""); err != nil {
		return err
	}
	allowed := slices.Clone(d.flow.Ends)
	if s.Rough {
		allowed = append(allowed, d.flow.More...)
	}
	if s.Fault == sweep.FullDisk {
		allowed = append(allowed, d.flow.Full...)
	}
	if s.Lost {
		allowed = append(allowed, d.flow.Lost...)
	}
	if s.Cut || s.Fault != "" {
		allowed = append(allowed, End{unchanged, d.base.current, d.base.previous})
	}
	if !slices.Contains(allowed, end) {
		return sweep.Violate("the device ended as %s with previous %s; allowed are %v", end, orNone(end.Previous), allowed)
	}
	if f.journal == nil {
		return nil
	}
	if n := len(f.journal.Quarantine); s.Fault != "" && n > 0 && d.flow.Exit == 0 {
		return sweep.Violate("a release was quarantined for %s: %s", s.Fault, f.journal.Quarantine[n-1].Reason)
	}
	return d.exitFits(end, s)
}

// exitFits checks that the exit status told the truth.
func (d *Device) exitFits(end End, s sweep.Story) error {
	switch {
	case s.Cut:
		return nil
	case s.Fault == "" && s.Exit != d.flow.Exit:
		return sweep.Violate("nothing was in its way, and it ended with %d instead of %d", s.Exit, d.flow.Exit)
	case s.Exit == 0 && end.State != "Committed":
		return sweep.Violate("it ended with 0, and the device is %s", end)
	case s.Exit == 12 && end.State != "RolledBack" && end.State != "FellBack":
		return sweep.Violate("it ended with 12 (rolled back), and the device is %s", end)
	}
	return nil
}
