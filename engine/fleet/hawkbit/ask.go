package hawkbit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/steps"
)

// look is what was found behind a link.
type look struct {
	link    ddi.Link
	confirm bool
	d       ddi.Deployment
	err     error
}

// Ask polls. Facts are returned when an action comes or goes.
func (s *Source) Ask(ctx context.Context, q fleet.Question) (fleet.Answer, error) {
	polled, err := s.client.Poll(ctx)
	if err != nil {
		return fleet.Answer{}, unanswered(err)
	}
	f := remembered(q.Facts)
	was := f.text()
	if s.done == "" {
		s.done = f.Done
	}
	f.Done = s.done
	accepted := q.Accepted
	if accepted == nil || accepted.Source != s.name {
		accepted = &journal.Origin{}
	}
	a := fleet.Answer{Identify: polled.Attributes, Next: polled.Sleep}
	err = s.answer(ctx, &a, &f, polled, *accepted)
	if text := f.text(); text != was {
		a.Facts = json.RawMessage(text)
	}
	s.facts = f
	return a, unanswered(err)
}

// answer fills in what is offered, and what is not to be carried out any more. accepted is
// the zero Origin when the device has nothing of this source open.
func (s *Source) answer(ctx context.Context, a *fleet.Answer, f *facts, polled ddi.Answer, accepted journal.Origin) error {
	link := polled.Deployment
	switch {
	case polled.Cancel != nil:
		link = polled.Cancel
	case link == nil:
		link = polled.Confirmation
	}
	if link == nil {
		s.seen = look{}
		f.see("", accepted.Action, s.ended)
		a.Text = "nothing is assigned to this device"
		withdrawn(a, f, accepted)
		return nil
	}
	f.see(link.Action, accepted.Action, s.ended)
	a.Details = []string{"action " + link.Action}
	if polled.Cancel != nil {
		a.Text = "action " + link.Action + " is to be cancelled"
		a.Cancel, a.CancelWhy = &journal.Origin{Source: s.name, Action: link.Action}, "it was cancelled at the server"
		if known := f.find(link.Action); known != nil {
			a.Cancel.Action = known.name()
			if known.Over && known.name() != accepted.Action {
				a.Cancel.Action = f.offered(link.Action, false) // it was offered meanwhile
			}
		}
		if accepted.Action == a.Cancel.Action {
			*a.Cancel = accepted
		}
		return nil
	}
	d, err := s.look(ctx, *link, polled.Deployment == nil, polled.Unchanged)
	if err != nil {
		return err
	}
	o := s.offer(d, f)
	if polled.Deployment == nil {
		o.Do = fleet.Ask
	}
	a.Text = o.Text
	if d.Artifact.SHA256 != "" {
		a.Details = append(a.Details, "sha256 "+d.Artifact.SHA256)
	}
	if d.Download != ddi.Skip || o.Origin == accepted {
		a.Offer = &o
	}
	if o.Origin != accepted {
		replaced(a, accepted, link.Action)
	}
	return nil
}

// withdrawn is what becomes of an offer that the device has accepted and the server does
// not show. It is cancelled; but the server ends one that is to be downloaded only when it
// is, and that is offered on, so that it stays where it is.
func withdrawn(a *fleet.Answer, f *facts, accepted journal.Origin) {
	switch known := f.find(id(accepted)); {
	case accepted.Action == "":
	case known != nil && known.Fetch && known.name() == accepted.Action:
		a.Text = "action " + known.ID + " was to be downloaded only"
		a.Offer = &fleet.Offer{Origin: accepted, Do: fleet.Fetch, Forced: true, Text: a.Text}
	default:
		a.Cancel, a.CancelWhy = &accepted, "the server does not offer it any more"
	}
}

// replaced cancels an offer that the device has accepted when another one is shown.
func replaced(a *fleet.Answer, accepted journal.Origin, by string) {
	if accepted.Action != "" {
		a.Cancel, a.CancelWhy = &accepted, "the server offers action "+by+" in its place"
	}
}

// ended reports whether the server has heard of the end of an offer, by the name of its action.
func (s *Source) ended(name string) bool {
	for m := range s.ends {
		if action, _, _ := strings.Cut(m, " "); action == name {
			return true
		}
	}
	return false
}

// look finds what an action consists of. A link that the server has given before leads to
// what it led to then; only one without a number, as goosebit's are, may not.
func (s *Source) look(ctx context.Context, link ddi.Link, confirm, unchanged bool) (ddi.Deployment, error) {
	same := s.seen.link == link && s.seen.confirm == confirm
	if same && (unchanged || s.seen.err == nil && link != (ddi.Link{Action: link.Action})) {
		return s.seen.d, s.seen.err
	}
	find := s.client.Deployment
	if confirm {
		find = s.client.Confirmation
	}
	d, err := find(ctx, link)
	s.seen = look{link: link, confirm: confirm, d: d, err: err}
	// A link that leads elsewhere will, as long as the poll's answer is the same.
	var e *ddi.Error
	if err != nil && (!errors.As(err, &e) || e.Kind != ddi.Elsewhere) {
		s.seen = look{}
	}
	return d, err
}

// offer is a deployment as the loop knows one.
func (s *Source) offer(d ddi.Deployment, f *facts) fleet.Offer {
	only := d.Update == ddi.Skip && d.Window == ddi.NoWindow
	b := d.Artifact
	o := fleet.Offer{
		Origin:  journal.Origin{Source: s.name, Action: f.offered(d.Action, only), Digest: brings(d)},
		Source:  steps.Source{URL: b.URL, Name: b.Name, Size: b.Size, SHA256: b.SHA256, Credential: s.name},
		Version: b.Version,
		Unfit:   d.Unfit,
		Do:      fleet.Install,
		Forced:  d.Update == ddi.Forced || d.Update == ddi.Skip && d.Download == ddi.Forced,
		Window:  d.Window == ddi.WindowShut,
	}
	o.Text = "action " + d.Action + " brings " + b.Name
	if b.Version != "" {
		o.Text += ", version " + b.Version
	}
	switch {
	case d.Unfit != "":
		o.Text = "action " + d.Action + ": " + d.Unfit
	case only:
		o.Text += ", to be downloaded only"
	case o.Window:
		o.Text += ", and waits for the server's maintenance window"
	}
	if d.Update == ddi.Skip {
		o.Do = fleet.Fetch
	}
	return o
}

// brings is what is offered: the artifact's digest, or, where the server has none or there
// is no artifact, one of what it says instead.
func brings(d ddi.Deployment) string {
	b := d.Artifact
	if b.SHA256 != "" {
		return b.SHA256
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{d.Unfit, b.Name, strconv.FormatInt(b.Size, 10), b.Version}, "\x00")))
	return "named:" + hex.EncodeToString(sum[:16])
}
