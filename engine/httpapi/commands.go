package httpapi

import (
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// begun answers a request that started an update or changed its course.
func begun(w http.ResponseWriter, id string, err error) error {
	if err != nil {
		return err
	}
	return accepted(w, "/api/v2/updates/"+id, Accepted{Update: id})
}

func (a *api) install(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	o.need("url")
	req := engine.InstallRequest{
		Source: steps.Source{
			URL: source.New(o.given("url")), Name: o.given("name"), Size: o.number("size"), MD5: o.given("md5"), Version: o.given("version"),
		},
		Hold: o.flag("hold"), Retry: o.flag("retry"), Force: o.flag("force"), Check: o.flag("check"), Supersede: o.flag("supersede"),
	}
	if err := o.done(); err != nil {
		return err
	}
	if req.Force || req.Retry {
		if err := need(r, Operate); err != nil {
			return err
		}
	}
	if err := checkSource(req.Source); err != nil {
		return err
	}
	if req.Handed, err = a.handed(r, req.Source); err != nil {
		return err
	}
	id, err := a.Engine.Install(r.Context(), req)
	return begun(w, id, err)
}

func (a *api) proceed(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	o.need("version")
	version := o.given("version")
	if err := o.done(); err != nil {
		return err
	}
	if err := checkVersion(version); err != nil {
		return err
	}
	id, err := a.Engine.Proceed(r.Context(), version)
	return begun(w, id, err)
}

func (a *api) cancel(w http.ResponseWriter, r *http.Request) error {
	if err := readNothing(r); err != nil {
		return err
	}
	id, err := a.Engine.Cancel(r.Context())
	return begun(w, id, err)
}

func (a *api) rollback(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	to, how := o.given("to"), engine.Turning{Force: o.flag("force"), Supersede: o.flag("supersede")}
	if err := o.done(); err != nil {
		return err
	}
	if to != "" {
		if err := checkVersion(to); err != nil {
			return err
		}
	}
	id, err := a.Engine.Rollback(r.Context(), to, how)
	return begun(w, id, err)
}

func (a *api) restoreFactory(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	how := engine.Turning{Supersede: o.flag("supersede")}
	if err := o.done(); err != nil {
		return err
	}
	id, err := a.Engine.RestoreFactory(r.Context(), how)
	return begun(w, id, err)
}

// readNothing accepts no body, or an object without fields.
func readNothing(r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	return o.done()
}
