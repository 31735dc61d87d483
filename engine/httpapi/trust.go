package httpapi

import "net/http"

const trustPath = "/api/v2/trust"

// forgetTrust lets go of the signed releases that were committed, so that a device
// without keys takes any release again. Only root may (RootOnly). The journal keeps who asked, and why.
func (a *api) forgetTrust(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	o.need("why")
	in := ForgetRequest{Why: o.given("why")}
	if err := o.done(); err != nil {
		return err
	}
	if !oneLine(in.Why) {
		return invalid("field why must be one line of 1 to %d characters", longestWhy)
	}
	was, floor, err := a.Engine.ForgetTrust(r.Context(), "forgotten: "+in.Why)
	if err != nil {
		return err
	}
	return accepted(w, "/api/v2/status", Forgotten{was, floor})
}
