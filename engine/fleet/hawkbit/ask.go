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
		return fleet.Answer{}, later(err)
	}
	f := remembered(q.Facts)
	was := f.text()
	if s.done == "" {
		s.done = f.Done
	}
	f.Done = s.done
	a := fleet.Answer{Identify: polled.Attributes, Next: polled.Sleep}
	err = s.answer(ctx, &a, &f, polled, s.own(q.Accepted))
	if text := f.text(); text != was {
		a.Facts = json.RawMessage(text)
	}
	return a, later(err)
}

// own is an offer of this source; nil for any other.
func (s *Source) own(o *journal.Origin) *journal.Origin {
	if o != nil && o.Source == s.name {
		return o
	}
	return nil
}

// answer fills in what is offered, and what is not to be carried out any more.
func (s *Source) answer(ctx context.Context, a *fleet.Answer, f *facts, polled ddi.Answer, accepted *journal.Origin) error {
	link, stop := polled.Deployment, polled.Cancel != nil
	switch {
	case stop:
		link = polled.Cancel
	case link == nil:
		link = polled.Confirmation
	}
	open := ""
	if accepted != nil {
		open = accepted.Action
	}
	if link == nil {
		s.seen = look{}
		a.Text = "nothing is assigned to this device"
		f.see("", open, s.over)
		s.withdrawn(a, f, accepted, "the server does not offer it any more")
		return nil
	}
	f.see(link.Action, open, s.over)
	a.Details = []string{"action " + link.Action}
	if stop {
		a.Text = "action " + link.Action + " is to be cancelled"
		a.Cancel, a.CancelWhy = &journal.Origin{Source: s.name, Action: link.Action}, "it was cancelled at the server"
		if open == link.Action {
			a.Cancel = accepted
		}
		return nil
	}
	d, err := s.look(ctx, *link, polled.Deployment == nil, polled.Unchanged)
	if err != nil {
		return err
	}
	o := s.offer(d, f)
	if a.Text = o.Text; d.Download == ddi.Skip {
		a.Text = "action " + link.Action + " is not to be downloaded yet"
	} else {
		a.Offer = &o
	}
	if polled.Deployment == nil {
		o.Do = fleet.Ask
	}
	if d.Artifact.SHA256 != "" {
		a.Details = append(a.Details, "sha256 "+d.Artifact.SHA256)
	}
	if accepted != nil && *accepted != o.Origin {
		s.withdrawn(a, f, accepted, "the server offers action "+link.Action+" in its place")
	}
	return nil
}

// withdrawn cancels what the device has accepted and the server does not show. One that
// was to be downloaded only ends by that, and stays where it is.
func (s *Source) withdrawn(a *fleet.Answer, f *facts, accepted *journal.Origin, why string) {
	if accepted == nil || f.Open[accepted.Action].Fetch || s.ends[mark(*accepted)] != "" {
		return
	}
	a.Cancel, a.CancelWhy = accepted, why
}

// over reports whether the server has heard of the end of an action that it had shown.
func (s *Source) over(id string, was shown) bool {
	for m := range s.ends {
		if strings.HasPrefix(m, id+" ") && strings.HasSuffix(m, numbered("", was.Number)) {
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
		Origin:  journal.Origin{Source: s.name, Action: d.Action, Digest: numbered(brings(d), f.number(d.Action, only))},
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
