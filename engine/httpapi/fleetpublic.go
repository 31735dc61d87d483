package httpapi

import (
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// fleetTo is the status of the fleet as the sender of a request may see it.
func fleetTo(r *http.Request, s fleet.Status) fleet.Status {
	if seesAll(r) {
		return s
	}
	return publicFleet(s)
}

// publicFleet is the status of the fleet for anybody: without the words of servers, of the
// veto and of services, without where bundles come from, and without who holds offers back.
func publicFleet(s fleet.Status) fleet.Status {
	s.Text = outline(s)
	s.Place, s.Details = "", nil
	s.Wait, s.Update = publicWait(s.Wait), publicUpdateStatus(s.Update)
	s.Failure = instead(s.Failure, "the source could not be asked")
	s.Alarm = instead(s.Alarm, "somebody has to look at the source")
	s.Untold = instead(s.Untold, "the source could not be told")
	if s.Offer != nil {
		o := *s.Offer
		o.Text = ""
		s.Offer = &o
	}
	if s.Held != nil {
		h := *s.Held
		h.By = nil
		s.Held = &h
	}
	if s.Probation != nil {
		p := *s.Probation
		p.Doubt = instead(p.Doubt, "something speaks against it")
		s.Probation = &p
	}
	outbox := make([]journal.Notice, len(s.Outbox))
	for i, n := range s.Outbox {
		n.Error, n.By = publicFailure(n.Error), nil
		outbox[i] = n
	}
	s.Outbox = outbox
	ends := make([]journal.OfferEnd, len(s.Ends))
	for i, e := range s.Ends {
		e.Text = ""
		ends[i] = e
	}
	s.Ends = ends
	return s
}

// outline is a status in one line of which no word is somebody else's.
func outline(s fleet.Status) string {
	switch u := s.Update; {
	case s.Source == "":
		return s.Text
	case u != nil && u.State == engine.Ready && s.Wait != nil:
		return "version " + u.To + " is ready and waits (" + s.Wait.Reason + ")"
	case u != nil && u.To == "":
		return "an offer is being installed (" + string(u.State) + ")"
	case u != nil:
		return "version " + u.To + " is being installed (" + string(u.State) + ")"
	case s.Wait != nil:
		return "an offer waits (" + s.Wait.Reason + ")"
	case s.Failure != "":
		return "the source could not be asked"
	case s.Heard.IsZero():
		return "the source has not been asked yet"
	case s.Offer != nil:
		return "there is an offer"
	}
	return "nothing is offered"
}

// publicWait is why something waits, without the words of whoever it waits for.
func publicWait(w *journal.Wait) *journal.Wait {
	if w == nil {
		return nil
	}
	return &journal.Wait{Reason: w.Reason, Until: w.Until}
}

// instead says that there is a text, without saying it.
func instead(text, what string) string {
	if text == "" {
		return ""
	}
	return what
}
