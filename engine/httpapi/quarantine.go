package httpapi

import (
	"net/http"
	"unicode/utf8"

	"github.com/tope/updater/platform/printable"
)

const quarantinePath = "/api/v2/quarantine"

// longestWhy bounds, in characters, the reason that a client gives.
const longestWhy = 200

func (a *api) quarantine(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, Quarantine{list(a.Engine.Quarantine())})
}

// clearQuarantine lets releases leave the quarantine. The journal keeps who asked.
func (a *api) clearQuarantine(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	in := ClearRequest{Release: o.given("release"), All: o.flag("all"), Why: o.given("why")}
	if err := o.done(); err != nil {
		return err
	}
	switch {
	case in.All == (in.Release != ""):
		return invalid("name a release by its digest or version, or say all")
	case !oneLine(in.Why):
		return invalid("field why must be one line of at most %d characters", longestWhy)
	}
	why := "cleared"
	if in.Why != "" {
		why += ": " + in.Why
	}
	cleared, err := a.Engine.Unquarantine(r.Context(), in.Release, why)
	if err != nil {
		return err
	}
	return accepted(w, quarantinePath, Cleared{list(cleared)})
}

// oneLine reports whether a client's reason can stand in the journal.
func oneLine(why string) bool {
	return utf8.RuneCountInString(why) <= longestWhy && printable.IsLine(why)
}
