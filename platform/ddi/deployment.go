package ddi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/source"
)

// Handling is how a part of an update is to be done.
type Handling string

// The kinds of Handling.
const (
	// Skip: not at all, or not now. hawkBit says so of the update for a download-only
	// assignment, and while a maintenance window is shut.
	Skip Handling = "skip"
	// Attempt: when the device sees fit.
	Attempt Handling = "attempt"
	// Forced: now.
	Forced Handling = "forced"
)

// Window is the server's maintenance window.
type Window string

// The states of a Window.
const (
	NoWindow   Window = ""
	WindowOpen Window = "available"
	WindowShut Window = "unavailable"
)

// Deployment is what an action consists of.
type Deployment struct {
	Action           string
	Download, Update Handling
	Window           Window
	// Artifact is the one bundle that it has. Unfit says why it has none that this device
	// could take, in words for the server's people; empty when it has.
	Artifact Artifact
	Unfit    string
}

// Artifact is a bundle at a server.
type Artifact struct {
	// Name is the file's, Version the software module's.
	Name, Version string
	// URL is where it is. Authorize gives a request for it the token, if it is for that server.
	URL  source.URL
	Size int64
	// SHA256 is in lower-case hexadecimal; empty when the server gives none (goosebit).
	SHA256 string
}

const (
	// takes is what a device can be given.
	takes = "this device takes exactly one .tope or .zip"
	// maxSize bounds an artifact: 1 TiB.
	maxSize = 1 << 40
)

// Deployment is what the action of a poll's link consists of. hawkBit makes an entry of
// each time that it is asked, so it is asked once for each change. It answers for actions
// that are over, too: only a poll says what is offered. Errors are of type *Error.
func (c *Client) Deployment(ctx context.Context, l Link) (Deployment, error) {
	return c.consists(ctx, "look at the deployment", "deploymentBase", l)
}

// Confirmation is what the action consists of that a poll's link wants to be confirmed.
func (c *Client) Confirmation(ctx context.Context, l Link) (Deployment, error) {
	return c.consists(ctx, "look at what is to be confirmed", "confirmationBase", l)
}

// wire is an action as the server writes it.
type wire struct {
	Download Handling `json:"download"`
	Update   Handling `json:"update"`
	Window   Window   `json:"maintenanceWindow"`
	Chunks   []struct {
		Version   string         `json:"version"`
		Artifacts []wireArtifact `json:"artifacts"`
	} `json:"chunks"`
}

type wireArtifact struct {
	Filename string `json:"filename"`
	Hashes   struct {
		SHA256 string `json:"sha256"`
	} `json:"hashes"`
	Size  int64 `json:"size"`
	Links struct {
		Download *href `json:"download"`
		// Plain is for its name's sake only: its URL may be one of https.
		Plain *href `json:"download-http"`
	} `json:"_links"`
}

func (c *Client) consists(ctx context.Context, doing, kind string, l Link) (Deployment, error) {
	if !isName(l.Action) {
		return Deployment{}, &Error{Kind: Refused, What: doing + ": it is not the name of an action"}
	}
	r, err := c.ask(ctx, question{doing: doing, method: http.MethodGet, rest: kind + "/" + l.Action, query: l.query})
	if err != nil {
		return Deployment{}, err
	}
	var said struct {
		ID           string `json:"id"`
		Deployment   *wire  `json:"deployment"`
		Confirmation *wire  `json:"confirmation"`
	}
	if err := json.Unmarshal(r.body, &said); err != nil {
		return Deployment{}, c.strange(doing, "it is not an action")
	}
	w := said.Deployment
	if kind == "confirmationBase" {
		w = said.Confirmation
	}
	switch {
	case w == nil || said.ID != l.Action:
		return Deployment{}, c.strange(doing, "it is not action "+l.Action)
	case !w.Download.known() || !w.Update.known() || w.Window != NoWindow && w.Window != WindowOpen && w.Window != WindowShut:
		return Deployment{}, c.strange(doing, "how it is to be done has an unknown word")
	}
	d := Deployment{Action: said.ID, Download: w.Download, Update: w.Update, Window: w.Window}
	var e *Error
	if d.Artifact, d.Unfit, e = c.artifact(w); e != nil {
		return Deployment{}, e
	}
	return d, nil
}

func (h Handling) known() bool { return h == Skip || h == Attempt || h == Forced }

// artifact is the one of a set, or why it has none of ours.
func (c *Client) artifact(w *wire) (a Artifact, unfit string, e *Error) {
	var all []wireArtifact
	version := ""
	for _, chunk := range w.Chunks {
		if len(chunk.Artifacts) > 0 {
			all, version = append(all, chunk.Artifacts...), chunk.Version
		}
	}
	switch len(all) {
	case 0:
		return a, "there is no artifact in the set: " + takes, nil
	case 1:
	default:
		return a, "the set has several artifacts, among them " + shown(all[0].Filename) + " and " + shown(all[1].Filename) + ": " + takes, nil
	}
	one := all[0]
	a = Artifact{Name: one.Filename, Version: short(printable.Line(version), 100), Size: one.Size, SHA256: strings.ToLower(one.Hashes.SHA256)}
	link := one.Links.Download
	if link == nil {
		link = one.Links.Plain
	}
	switch lower := strings.ToLower(a.Name); {
	case !strings.HasSuffix(lower, ".tope") && !strings.HasSuffix(lower, ".zip"):
		return Artifact{}, "the artifact " + shown(a.Name) + " is of another kind: " + takes, nil
	case len(a.Name) > 255 || strings.Contains(a.Name, "/") || !printable.IsLine(a.Name):
		return Artifact{}, "the artifact " + shown(a.Name) + " has a name that a file cannot have", nil
	case a.Size <= 0 || a.Size > maxSize:
		return Artifact{}, "the artifact " + shown(a.Name) + " has a size that a bundle cannot have", nil
	case a.SHA256 != "" && !isDigest(a.SHA256):
		return Artifact{}, "the artifact " + shown(a.Name) + " has a SHA-256 that is not 64 hexadecimal digits", nil
	case link == nil:
		return Artifact{}, "the artifact " + shown(a.Name) + " has no link to download it", nil
	}
	u, e := c.followed(link.Href, true)
	if e != nil {
		return Artifact{}, "", e
	}
	a.URL = source.New(u.String())
	if why := unusable(a.URL); why != "" {
		return Artifact{}, "the artifact " + shown(a.Name) + " cannot be downloaded: " + why, nil
	}
	return a, "", nil
}

// isDigest reports whether a text is a SHA-256.
func isDigest(text string) bool {
	digest, err := hex.DecodeString(text)
	return err == nil && len(digest) == 32
}

// unusable says why no bundle can come from a URL; empty when one can.
func unusable(u source.URL) string {
	if _, err := u.Parse(); err != nil {
		return err.Error()
	}
	return ""
}

// shown is a name of others within a line.
func shown(name string) string { return short(printable.Line(name), 80) }
