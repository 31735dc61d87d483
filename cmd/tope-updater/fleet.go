package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/httpapi"
)

func (a *app) fleetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet VERB",
		Short: "see and steer how the device updates itself",
		Long: `A device with a source of offers ([fleet] in the configuration: a signed channel or
a hawkBit server) updates itself: the daemon asks the source, and installs what it
offers when windows, veto, policy and the source let it. These verbs show where that
stands, and steer it. They concern offers only: what somebody asks for on the device
("tope-updater install") does not wait for anything of it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: %s status, check, install, hold or release", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.fleetStatus(), a.fleetCheck(), a.fleetInstall(), a.fleetHold(), a.fleetRelease())
	return cmd
}

func (a *app) fleetStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "tell what is offered, why it waits, and what is next",
		Long: `Tell what the source offers, why it waits or what is next and when, what the source
has still to be told, when it was heard last, and who holds offers back. The first
line says the rest in short. Without a daemon nobody is asked: what the journal knows
is told.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.aboutFleet(cmd.Context(), reads, (*session).Fleet)
		},
	}
}

func (a *app) fleetCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "ask the source now",
		Long: `Have the daemon ask the source now, and tell what it has answered. An offer that may
be downloaded or installed is begun at once, also one that has failed a short time ago;
the command does not wait for it: "tope-updater watch" follows it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.aboutFleet(cmd.Context(), reads, (*session).CheckFleet)
		},
	}
}

// aboutFleet asks for something of which the answer is the status.
func (a *app) aboutFleet(ctx context.Context, n need, ask func(*session, context.Context) (fleet.Status, error)) error {
	s, err := a.connect(ctx, n)
	if err != nil {
		return err
	}
	defer s.close()
	st, err := ask(s, ctx)
	if err != nil {
		return err
	}
	return a.term.answer(st, func(t *terminal) { t.fleet(st) })
}

func (a *app) fleetInstall() *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "install the offer that waits, whatever it waits for",
		Long: `Install the offer that has been downloaded and waits, whatever it waits for: a
maintenance window, the veto, a hold, the policy "download", or its source. The command
follows the update to its end, as "tope-updater install" does, with the same exit
codes.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.update(cmd.Context(), noWait, func(ctx context.Context, s *session) (string, error) { return s.InstallOffer(ctx) })
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "return as soon as the update goes on (needs the daemon)")
	return cmd
}

// untilReleased is the end of a hold that has none.
const untilReleased = "release"

func (a *app) fleetHold() *cobra.Command {
	var until, last, why string
	cmd := &cobra.Command{
		Use:   "hold --until TIME|--for DURATION --why TEXT",
		Short: "keep offers from being installed for some time",
		Long: `Keep offers from being installed: until a time ("2026-12-24 18:00" by the clock of
this device, or "2026-12-24T18:00:00Z"), for some time ("90m", "72h", "3d"), or until
"fleet release" (--until release). They are still downloaded. An update that has begun
to be installed goes on. Another hold takes the place of this one. The journal keeps who
has asked, and why. An offer that has waited three times as long as [fleet] max_defer
allows ends all the same.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.device(); err != nil {
				return err // before the command line, as of every verb
			}
			ask, usage := httpapi.HoldRequest{Why: why}, cmd.Parent().CommandPath()+" "+cmd.Use
			switch {
			case until != "" && last != "":
				return usagef("say how long by one of --until and --for, and not by both: %s", usage)
			case until == "" && last == "":
				return usagef("say how long: %s", usage)
			case why == "":
				return usagef("say why, for the journal: %s", usage)
			}
			end, err := holdEnd(until, last, time.Now())
			if err != nil {
				return err
			}
			if !end.IsZero() {
				ask.Until = end.UTC().Format(time.RFC3339)
			}
			// It is for offers that wait, too, which is why it does not only tend.
			return a.aboutFleet(cmd.Context(), begins, func(s *session, ctx context.Context) (fleet.Status, error) { return s.Hold(ctx, ask) })
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "`time` at which it ends, or \"release\"")
	cmd.Flags().StringVar(&last, "for", "", "`duration` of it")
	cmd.Flags().StringVar(&why, "why", "", "`reason` for the journal and the status, in one line")
	return cmd
}

// holdEnd is when a hold ends; zero for one until its release.
func holdEnd(until, last string, now time.Time) (time.Time, error) {
	if until == untilReleased {
		return time.Time{}, nil
	}
	if until != "" {
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", time.DateTime} {
			if at, err := time.ParseInLocation(layout, until, time.Local); err == nil {
				return at, nil
			}
		}
		return time.Time{}, usagef(`%.40q is not a time; write one like "2026-12-24 18:00" or "2026-12-24T18:00:00Z", or "release"`, until)
	}
	d, err := time.ParseDuration(last)
	if days, ok := strings.CutSuffix(last, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < time.Second {
		return time.Time{}, usagef(`%.40q is not a duration; write one like "90m", "72h" or "3d"`, last)
	}
	return now.Add(d), nil
}

func (a *app) fleetRelease() *cobra.Command {
	return &cobra.Command{
		Use:   "release",
		Short: "end a hold",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.aboutFleet(cmd.Context(), begins, (*session).Release)
		},
	}
}

// fleetOf is the source of offers for the API: the daemon's, or, where nobody asks though
// the configuration says so, one that only tells. It is nil when that asks nobody.
func (p *parts) fleetOf(e fleet.Teller) httpapi.Fleet {
	f := p.cfg.Fleet
	switch {
	case p.fleet.loop != nil:
		return p.fleet.loop
	case !f.Asks():
		return nil
	}
	u := unattendedFleet{e, p.fleet.why, fleet.Status{Schema: 1, Source: hawkBit, Place: f.HawkBit, Policy: fleet.Policy(f.Policy)}}
	if f.Channel != "" {
		u.is.Source, u.is.Place = "channel "+f.ChannelName(), f.Channel
	}
	return u
}

// unattendedFleet is a source that nobody asks: no daemon runs, or it cannot, and says why.
type unattendedFleet struct {
	fleet.Teller
	why error
	is  fleet.Status
}

// Status is what the journal knows.
func (u unattendedFleet) Status() fleet.Status {
	s := u.is
	s.Text = "no daemon runs, so that nobody asks " + s.Source
	if u.why != nil {
		s.Text = "nobody asks " + s.Source + ": " + u.why.Error()
		s.Alarm = u.why.Error()
	}
	if open := u.Journal().Open; open != nil && open.Origin != nil && !open.Terminal {
		s.Wait = open.Wait
		s.Text = fmt.Sprintf("version %s stays in %s: %s", orNone(open.To), open.State, s.Text)
	}
	return fleet.StatusOf(u.Teller, s)
}

// Check has nobody to ask for it.
func (u unattendedFleet) Check(context.Context) error {
	if u.why != nil {
		return fmt.Errorf("%w: the daemon cannot ask: %w", engine.ErrNothingToDo, u.why)
	}
	return fmt.Errorf("%w: no daemon runs, and it is the daemon that asks; start it: tope-updater serve", engine.ErrNothingToDo)
}
