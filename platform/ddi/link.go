package ddi

import (
	"net/url"
	"strings"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/source"
)

// Link leads to one action. Only Action says which it is: what is behind it changes with
// the action's row at the server. A Link without the rest is good as well.
type Link struct {
	Action string
	query  string
}

// href is a link as the server writes it.
type href struct {
	Href string `json:"href"`
}

// followed is the URL that a link stands for: its own for a mirror, and the server's with
// its path and query for all others.
func (c *Client) followed(text string, mirrored bool) (*url.URL, *Error) {
	u, err := c.server.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil {
		return nil, &Error{Kind: Elsewhere, What: "a link of " + c.server.String() + " is not a URL that can be asked"}
	}
	u.Fragment, u.RawFragment = "", ""
	switch at := fetch.Origin(u); {
	case at == fetch.Origin(c.server), c.aliases[at]:
		u.Scheme, u.Host = c.server.Scheme, c.server.Host
	case mirrored && c.mirrors[at]:
	case strings.EqualFold(u.Host, c.server.Host) && c.server.Scheme == "https":
		return nil, &Error{Kind: Elsewhere, What: "a link of " + c.server.String() + " leads to " + at +
			"; set server.forward-headers-strategy=NATIVE at hawkBit, or allow " + at + " as an alias"}
	default:
		return nil, &Error{Kind: Elsewhere, What: "a link of " + c.server.String() + " leads to " + short(printable.Line(at), 200) +
			"; correct the server, or allow that one by its name"}
	}
	return u, nil
}

// action is what a link of the base leads to: one of the kind's, of this device.
func (c *Client) action(kind, text string) (Link, *Error) {
	u, e := c.followed(text, false)
	if e != nil {
		return Link{}, e
	}
	id, ok := strings.CutPrefix(u.EscapedPath(), c.base+"/"+kind+"/")
	if !ok || !isName(id) {
		return Link{}, &Error{Kind: Elsewhere, What: "a link of " + c.server.String() + " leads to " + short(printable.Line(source.Show(u)), 300) +
			", which is not below this device's " + c.base}
	}
	return Link{Action: id, query: u.RawQuery}, nil
}
