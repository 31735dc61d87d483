package channel_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/channel"
)

// with changes a release.
func with(r channel.Release, change func(r *channel.Release)) channel.Release {
	change(&r)
	return r
}

func TestChoose(t *testing.T) {
	forA := func(r *channel.Release) { r.Hardware = []string{"rev-a"} }
	forB := func(r *channel.Release) { r.Hardware = []string{"rev-b", "rev-c"} }
	from := func(v string) func(r *channel.Release) { return func(r *channel.Release) { r.From = v } }
	stopped := func(r *channel.Release) { r.State, r.Why = channel.Halted, "loses the calibration" }
	nobody := func(r *channel.Release) { r.Rollout.Percent = 0 }
	soon := func(r *channel.Release) { r.Rollout.Start = today().Add(time.Hour) }
	v110, v120, v200 := release("1.1.0", "a"), release("1.2.0", "b"), release("2.0.0", "c")
	for name, c := range map[string]struct {
		releases []channel.Release
		change   func(d *channel.Device)
		version  string
		reason   channel.Reason
		text     string
	}{
		"nothing":                         {nil, nil, "", channel.UpToDate, "version 1.0.0 is the newest for this device"},
		"what it has":                     {[]channel.Release{release("1.0.0", "d")}, nil, "", channel.UpToDate, "newest"},
		"below":                           {[]channel.Release{release("0.9.0", "d")}, nil, "", channel.UpToDate, "newest"},
		"the highest":                     {[]channel.Release{v110, v200, v120}, nil, "2.0.0", channel.Offered, "version 2.0.0 is to be installed"},
		"not a version's own preview":     {[]channel.Release{release("1.0.0-rc.1", "d")}, nil, "", channel.UpToDate, "newest"},
		"a stepping stone":                {[]channel.Release{v110, with(v200, from("1.1.0"))}, nil, "1.1.0", channel.Offered, "1.1.0"},
		"from there on":                   {[]channel.Release{v110, with(v200, from("1.1.0"))}, func(d *channel.Device) { d.Version = "1.1.0" }, "2.0.0", channel.Offered, "2.0.0"},
		"no stone":                        {[]channel.Release{with(v200, from("1.1.0"))}, nil, "", channel.TooOld, "version 2.0.0 may be installed from 1.1.0 on, this device has 1.0.0"},
		"its hardware":                    {[]channel.Release{with(v200, forA), with(v110, forB)}, nil, "1.1.0", channel.Offered, "1.1.0"},
		"one version, two kinds":          {[]channel.Release{with(v200, forA), with(with(v200, forB), func(r *channel.Release) { r.Digest = digest("d") })}, nil, "2.0.0", channel.Offered, "2.0.0"},
		"other hardware":                  {[]channel.Release{with(v200, forA)}, nil, "", channel.OtherHardware, `version 2.0.0 is for hardware rev-a, this device is "rev-b"`},
		"other hardware is not the news":  {[]channel.Release{with(v200, forA), with(v110, stopped)}, nil, "", channel.Stopped, "1.1.0"},
		"no hardware named":               {[]channel.Release{with(v200, forA)}, func(d *channel.Device) { d.Hardware = "" }, "", channel.OtherHardware, "configuration names none"},
		"halted":                          {[]channel.Release{with(v200, stopped)}, nil, "", channel.Stopped, "version 2.0.0 is halted: loses the calibration"},
		"halted, and the one below it":    {[]channel.Release{with(v200, stopped), v110}, nil, "1.1.0", channel.Offered, "1.1.0"},
		"its turn has not come":           {[]channel.Release{with(v200, soon)}, nil, "", channel.Waiting, "version 2.0.0 is due at 2026-12-01T13:00:00Z"},
		"its turn never comes":            {[]channel.Release{with(v200, nobody)}, nil, "", channel.Waiting, "the rollout goes to 0 %"},
		"meanwhile the one below it":      {[]channel.Release{with(v200, nobody), v110}, nil, "1.1.0", channel.Offered, "1.1.0"},
		"quarantined":                     {[]channel.Release{v200}, func(d *channel.Device) { d.Quarantined = map[string]string{digest("c"): "web-server died"} }, "", channel.InQuarantine, "quarantine: web-server died"},
		"quarantined although accepted":   {[]channel.Release{v200}, func(d *channel.Device) { d.Accepted, d.Quarantined = digest("c"), map[string]string{digest("c"): "x"} }, "", channel.InQuarantine, "x"},
		"any product":                     {[]channel.Release{v110}, func(d *channel.Device) { d.Product = "" }, "1.1.0", channel.Offered, "1.1.0"},
		"a newer one than was accepted":   {[]channel.Release{v110, v200}, func(d *channel.Device) { d.Accepted = digest("a") }, "2.0.0", channel.Offered, "2.0.0"},
		"what was accepted, not the rest": {[]channel.Release{with(v110, nobody), with(v200, nobody)}, func(d *channel.Device) { d.Accepted = digest("a") }, "1.1.0", channel.Offered, "1.1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			d := device()
			if c.change != nil {
				c.change(&d)
			}
			f := stable(8, c.releases...)
			_, err := f.Encode()
			require.NoError(t, err)
			choice := f.Choose(d, today())
			require.Equal(t, c.reason, choice.Reason, choice.Text)
			require.Contains(t, choice.Text, c.text)
			if c.version == "" {
				require.Nil(t, choice.Release)
				return
			}
			require.Equal(t, c.version, choice.Release.Version)
		})
	}
}

// A device that runs what was withdrawn says so, and is led to a higher version only.
func TestWithdrawn(t *testing.T) {
	bad := with(release("1.1.0", "a"), func(r *channel.Release) { r.State, r.Why = channel.Withdrawn, "loses the calibration" })
	d := device()
	d.Version = "1.1.0"
	choice := stable(8, bad, release("1.0.0", "b")).Choose(d, today())
	require.Nil(t, choice.Release)
	require.Equal(t, "loses the calibration", choice.Withdrawn)
	choice = stable(8, bad, release("1.1.1", "b")).Choose(d, today())
	require.Equal(t, "1.1.1", choice.Release.Version)
	require.Equal(t, "loses the calibration", choice.Withdrawn)
}
