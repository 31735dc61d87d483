package download

import (
	"errors"
	"net"
	"syscall"

	"github.com/tope/updater/platform/fetch"
)

// why says in a few words what keeps the download and what to do, for people who wait
// for it. The log and the journal have the whole error.
func (r *run) why(err error) string {
	var (
		out  *outage
		odd  *strange
		name *net.DNSError
		code syscall.Errno
		web  *fetch.Error
	)
	at, _ := r.task.Source.URL.Parse()
	if !at.Web() {
		return err.Error()
	}
	host := at.Host
	switch {
	case errors.As(err, &web):
		return web.Error()
	case errors.As(err, &odd):
		return "host " + host + ": " + odd.Error()
	case !errors.As(err, &out):
		return err.Error()
	case errors.As(err, &name) && name.IsNotFound:
		return "the name of host " + host + " does not exist; check the URL, and the network's DNS"
	case errors.As(err, &name):
		return "cannot reach host " + host + ": " + name.Err
	case out.what == cannotConnect && errors.As(err, &code):
		return "cannot reach host " + host + ": " + code.Error()
	case out.what == noCredentials:
		return out.what + ": " + err.Error()
	case out.what == cannotConnect, out.what == serverBusy, out.what == loginWanted:
		return "host " + host + ": " + err.Error()
	}
	return out.what + ": host " + host
}

// outline is why without what a server answered, for people who could not ask it; empty
// when why says nothing of that.
func (r *run) outline(err error) string {
	var (
		out *outage
		odd *strange
		web *fetch.Error
	)
	at, _ := r.task.Source.URL.Parse()
	switch {
	case !at.Web():
		return ""
	case errors.As(err, &odd):
		return "host " + at.Host + ": " + odd.err.Outline
	case errors.As(err, &web):
		return "host " + at.Host + ": " + string(web.Kind) // not its certificate's dates, nor a proxy's words
	case errors.As(err, &out) && (out.what == serverBusy || out.what == loginWanted):
		return "host " + at.Host + ": " + out.what
	}
	return ""
}
