package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// Install starts to install a bundle and returns the update's id. A local file
// is named by its absolute path, and r.Handed has it open: a daemon is handed it, so that
// the file is read with the rights of this process. The file stays the caller's.
func (c *Client) Install(ctx context.Context, r engine.InstallRequest) (id string, err error) {
	in := map[string]any{"url": r.Source.URL.Unredacted(), "hold": r.Hold, "retry": r.Retry, "force": r.Force}
	if r.Check {
		in["check"] = true // a daemon that does not know it refuses the request
	}
	if r.Supersede {
		in["supersede"] = true
	}
	for name, value := range map[string]string{"name": r.Source.Name, "md5": r.Source.MD5, "version": r.Source.Version} {
		if value != "" {
			in[name] = value
		}
	}
	if r.Source.Size != 0 {
		in["size"] = r.Source.Size
	}
	if c.socket != "" && r.Handed != nil && r.Handed.File != nil {
		c = c.handing(r.Handed.File)
	}
	return c.begin(ctx, "/api/v2/install", in)
}

// Proceed installs the bundle that was downloaded with Hold.
func (c *Client) Proceed(ctx context.Context, version string) (id string, err error) {
	return c.begin(ctx, "/api/v2/proceed", map[string]any{"version": version})
}

// Cancel cancels the open update.
func (c *Client) Cancel(ctx context.Context) (id string, err error) {
	return c.begin(ctx, "/api/v2/cancel", nil)
}

// Rollback goes to an installed version, "" for the previous one.
func (c *Client) Rollback(ctx context.Context, to string, how engine.Turning) (id string, err error) {
	in := map[string]any{"force": how.Force}
	if how.Supersede {
		in["supersede"] = true
	}
	if to != "" {
		in["to"] = to
	}
	return c.begin(ctx, "/api/v2/rollback", in)
}

// RestoreFactory goes to the factory version.
func (c *Client) RestoreFactory(ctx context.Context, how engine.Turning) (id string, err error) {
	var in any
	if how.Supersede {
		in = map[string]any{"supersede": true}
	}
	return c.begin(ctx, "/api/v2/factory/restore", in)
}

func (c *Client) begin(ctx context.Context, path string, in any) (string, error) {
	var out httpapi.Accepted
	err := c.do(ctx, http.MethodPost, path, in, &out)
	return out.Update, err
}

// Quarantine lists the releases in quarantine, newest first.
func (c *Client) Quarantine(ctx context.Context) ([]journal.Quarantined, error) {
	var out httpapi.Quarantine
	err := c.do(ctx, http.MethodGet, "/api/v2/quarantine", nil, &out)
	return out.Quarantine, err
}

// ClearQuarantine lets releases leave the quarantine, and returns their entries.
// Errors: engine.ErrNotFound when there is no such entry.
func (c *Client) ClearQuarantine(ctx context.Context, r httpapi.ClearRequest) ([]journal.Quarantined, error) {
	var out httpapi.Cleared
	err := c.do(ctx, http.MethodPost, "/api/v2/quarantine/clear", r, &out)
	return out.Cleared, err
}

// Fleet tells how the device stands to its source of offers.
func (c *Client) Fleet(ctx context.Context) (fleet.Status, error) {
	var s fleet.Status
	err := c.do(ctx, http.MethodGet, "/api/v2/fleet", nil, &s)
	return s, err
}

// CheckFleet asks the source of offers now, and tells what has come of that. Errors:
// httpapi.ErrSource, engine.ErrNotFound when there is none, engine.ErrNothingToDo when no
// daemon runs.
func (c *Client) CheckFleet(ctx context.Context) (fleet.Status, error) {
	return c.steer(ctx, "check", nil)
}

// Hold keeps offers from being installed. Errors: engine.ErrNothingToDo when its end is
// over already.
func (c *Client) Hold(ctx context.Context, r httpapi.HoldRequest) (fleet.Status, error) {
	return c.steer(ctx, "hold", r)
}

// Release ends a hold. Errors: engine.ErrNothingToDo when there is none.
func (c *Client) Release(ctx context.Context) (fleet.Status, error) {
	return c.steer(ctx, "release", nil)
}

func (c *Client) steer(ctx context.Context, verb string, in any) (fleet.Status, error) {
	var s fleet.Status
	err := c.do(ctx, http.MethodPost, "/api/v2/fleet/"+verb, in, &s)
	return s, err
}

// InstallOffer installs the offer that waits. Errors: engine.ErrNotFound when none does.
func (c *Client) InstallOffer(ctx context.Context) (id string, err error) {
	return c.begin(ctx, "/api/v2/fleet/install", nil)
}

// ForgetTrust lets go of the signed releases that were committed, and tells the newest and
// what stays. Errors: engine.ErrNothingToDo when there is none.
func (c *Client) ForgetTrust(ctx context.Context, why string) (httpapi.Forgotten, error) {
	var out httpapi.Forgotten
	err := c.do(ctx, http.MethodPost, "/api/v2/trust/forget", httpapi.ForgetRequest{Why: why}, &out)
	return out, err
}

// Updates lists the updates the journal keeps, newest first.
func (c *Client) Updates(ctx context.Context) ([]journal.Update, error) {
	var out httpapi.Updates
	err := c.do(ctx, http.MethodGet, "/api/v2/updates", nil, &out)
	return out.Updates, err
}

// Update returns one update; engine.ErrNotFound when the journal has none of that id.
func (c *Client) Update(ctx context.Context, id string) (journal.Update, error) {
	var out journal.Update
	err := c.do(ctx, http.MethodGet, "/api/v2/updates/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Records returns an update's records in order, "" for the whole journal's.
func (c *Client) Records(ctx context.Context, update string) ([]journal.Record, error) {
	path := "/api/v2/journal"
	if update != "" {
		path = "/api/v2/updates/" + url.PathEscape(update) + "/journal"
	}
	var out httpapi.Records
	if err := c.do(ctx, http.MethodGet, path, nil, &out); err != nil {
		return nil, err
	}
	recs := make([]journal.Record, len(out.Records))
	for i, r := range out.Records {
		recs[i] = r.Record
		recs[i].Sum = r.Sum
	}
	return recs, nil
}

// Export writes the whole journal to w as JSON Lines.
func (c *Client) Export(ctx context.Context, w io.Writer) error {
	body, err := c.open(ctx, http.MethodGet, "/api/v2/journal?format=jsonl", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// VerifyJournal checks the journal's whole chain.
func (c *Client) VerifyJournal(ctx context.Context) (journal.Report, error) {
	var out journal.Report
	err := c.do(ctx, http.MethodGet, "/api/v2/journal/verify", nil, &out)
	return out, err
}

// Versions lists the versions on the device, newest first.
func (c *Client) Versions(ctx context.Context) ([]httpapi.InstalledVersion, error) {
	var out httpapi.Installed
	err := c.do(ctx, http.MethodGet, "/api/v2/versions", nil, &out)
	return out.Versions, err
}

// VerifyVersion reads a version back from the disk and compares it with its manifest.
func (c *Client) VerifyVersion(ctx context.Context, version string) (versions.Verification, error) {
	var out versions.Verification
	err := c.do(ctx, http.MethodPost, "/api/v2/versions/"+url.PathEscape(version)+"/verify", nil, &out)
	return out, err
}

// VerifyFactory does the same for the factory version.
func (c *Client) VerifyFactory(ctx context.Context) (versions.Verification, error) {
	var out versions.Verification
	err := c.do(ctx, http.MethodPost, "/api/v2/factory/verify", nil, &out)
	return out, err
}

// CreateFactory makes a version the factory version; "" stands for the current one.
func (c *Client) CreateFactory(ctx context.Context, version string, replace bool) (versions.FactoryReport, error) {
	in := map[string]any{"replace": replace}
	if version != "" {
		in["version"] = version
	}
	var out versions.FactoryReport
	err := c.do(ctx, http.MethodPost, "/api/v2/factory/create", in, &out)
	return out, err
}

// Prune removes old versions and returns which it removed. It keeps the newest
// keep versions; a negative keep stands for the configured number.
func (c *Client) Prune(ctx context.Context, keep int) ([]string, error) {
	in := map[string]any{}
	if keep >= 0 {
		in["keep"] = keep
	}
	var out httpapi.Pruned
	err := c.do(ctx, http.MethodPost, "/api/v2/prune", in, &out)
	return out.Removed, err
}

// Links compares the links outside the versions with the current version.
func (c *Client) Links(ctx context.Context) ([]versions.Link, error) {
	var out httpapi.Links
	err := c.do(ctx, http.MethodGet, "/api/v2/links", nil, &out)
	return out.Links, err
}

// RepairLinks makes the links outside the versions match the current version.
func (c *Client) RepairLinks(ctx context.Context, in httpapi.LinksRequest) (httpapi.LinksRepaired, error) {
	var out httpapi.LinksRepaired
	err := c.do(ctx, http.MethodPost, "/api/v2/links", in, &out)
	return out, err
}

// Reload has the daemon read its configuration and keys anew, and returns when they
// are in force. Errors: httpapi.ErrConfiguration, engine.ErrBusy.
func (c *Client) Reload(ctx context.Context) (httpapi.Reloaded, error) {
	var out httpapi.Reloaded
	err := c.do(ctx, http.MethodPost, "/api/v2/reload", nil, &out)
	return out, err
}
