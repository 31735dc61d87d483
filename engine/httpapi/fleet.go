package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
)

const fleetPath = "/api/v2/fleet"

// ErrSource says that the source of offers could not be asked, or has not answered as it
// should.
var ErrSource = errors.New("the source of offers could not be asked")

// fleet tells how the device stands to its source of offers.
func (a *api) fleet(w http.ResponseWriter, r *http.Request) error {
	return answer(w, http.StatusOK, fleetTo(r, a.fleetNow()))
}

// fleetNow is the status of the fleet, also of a device that has no source.
func (a *api) fleetNow() fleet.Status {
	if a.Fleet == nil {
		return fleet.Idle(a.Engine)
	}
	return a.Fleet.Status()
}

// checkFleet asks the source now. What that begins is not waited for.
func (a *api) checkFleet(w http.ResponseWriter, r *http.Request) error {
	if err := readNothing(r); err != nil {
		return err
	}
	if a.Fleet == nil {
		return noSource()
	}
	wait(w)
	err := a.Fleet.Check(r.Context())
	switch {
	case err == nil:
		return answer(w, http.StatusOK, fleetTo(r, a.Fleet.Status()))
	case errors.Is(err, engine.ErrJournal), errors.Is(err, engine.ErrNothingToDo), errors.Is(err, context.Canceled):
		return err
	case !seesAll(r):
		return fmt.Errorf("%w; \"tope-updater fleet status\" tells why", ErrSource)
	}
	return fmt.Errorf("%w: %w", ErrSource, err)
}

func noSource() error {
	return fmt.Errorf("%w: this device asks nobody what to install; set [fleet] channel or hawkbit in the configuration, and a policy other than \"none\"", engine.ErrNotFound)
}

// patience is how long a source is waited for before what it has offered is installed.
const patience = 10 * time.Second

// installOffer installs the offer that waits, whatever it waits for. Its source is asked
// before: it may have halted the release since. One that does not answer holds up nothing.
// The journal keeps who asked.
func (a *api) installOffer(w http.ResponseWriter, r *http.Request) error {
	if err := readNothing(r); err != nil {
		return err
	}
	ready := func(u *journal.Update) bool { return u != nil && u.Origin != nil && u.State == engine.Ready && u.Hold }
	u := a.Engine.Journal().Open
	if ready(u) && a.Fleet != nil {
		wait(w)
		ctx, cancel := clock.WithTimeout(r.Context(), a.Clock, patience, errors.New("no answer"))
		_ = a.Fleet.Check(ctx) // see above
		cancel()
		was := u.ID
		switch u = a.Engine.Journal().Open; {
		case u == nil || u.ID != was || u.Terminal:
			return fmt.Errorf("%w: its source has stopped the offer that waited; \"tope-updater fleet status\" tells why", engine.ErrNotFound)
		case !ready(u):
			return begun(w, u.ID, nil) // it may be installed anyway
		}
	}
	switch {
	case ready(u):
		id, err := a.Engine.Proceed(r.Context(), u.To)
		return begun(w, id, err)
	case u != nil && !u.Terminal:
		return &engine.BusyError{Update: u.ID, State: u.State}
	case a.Fleet == nil:
		return noSource()
	}
	text := "no offer waits to be installed"
	if o := a.Fleet.Status().Offer; o != nil {
		text = "what is offered has not been downloaded"
	}
	return fmt.Errorf("%w: %s; \"tope-updater fleet status\" tells why", engine.ErrNotFound, text)
}

// hold keeps offers from being installed. Requests of this device are not concerned.
func (a *api) hold(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	o.need("why")
	in := HoldRequest{Until: o.given("until"), For: o.given("for"), Why: o.given("why")}
	if err := o.done(); err != nil {
		return err
	}
	if !oneLine(in.Why) {
		return invalid("field why must be one line of 1 to %d characters", longestWhy)
	}
	h := journal.Hold{Why: in.Why}
	if h.Until, err = in.end(a.Clock.Now()); err != nil {
		return err
	}
	if err := a.Engine.Hold(r.Context(), h); err != nil {
		return err
	}
	return accepted(w, fleetPath, fleetTo(r, a.fleetNow()))
}

// longestFor bounds, in digits, the number of a time.
const longestFor = 6

// end is when a hold ends; zero for one that has to be released.
func (h HoldRequest) end(now time.Time) (time.Time, error) {
	switch {
	case h.Until != "" && h.For != "":
		return time.Time{}, invalid("fields until and for are both there; give one of them")
	case h.Until != "":
		until, err := time.Parse(time.RFC3339, h.Until)
		if err != nil {
			return time.Time{}, invalid("field until must be a time like 2026-12-24T18:00:00Z")
		}
		if !until.After(now) {
			return time.Time{}, fmt.Errorf("%w: %s is over already; this device's clock says %s", engine.ErrNothingToDo, h.Until, now.UTC().Format(time.RFC3339))
		}
		return until.UTC().Round(time.Second), nil
	case h.For != "":
		unit, known := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour}[h.For[len(h.For)-1]]
		number := h.For[:len(h.For)-1]
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || !known || n == 0 || number[0] == '0' || len(number) > longestFor {
			return time.Time{}, invalid("field for must be a whole number of seconds, minutes or hours like 90m or 72h, of at most %d digits", longestFor)
		}
		return now.Add(time.Duration(n) * unit).UTC().Round(time.Second), nil
	}
	return time.Time{}, nil
}

// release ends a hold.
func (a *api) release(w http.ResponseWriter, r *http.Request) error {
	if err := readNothing(r); err != nil {
		return err
	}
	if err := a.Engine.Unhold(r.Context()); err != nil {
		return err
	}
	return accepted(w, fleetPath, fleetTo(r, a.fleetNow()))
}
