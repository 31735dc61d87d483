package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/look"
)

// renewal is how long before its end somebody is told of a certificate.
const renewal = 30 * 24 * time.Hour

// download looks at the files that the way to the servers needs, with the eyes of a
// request. It asks neither a server nor a proxy: their answer would be about this moment,
// and about this process's environment.
func (c *checkup) download(context.Context) {
	t := fetch.New(fetch.Config{Settings: c.Config.Download.Reach(), Clock: c.Clock, Resolve: c.Root.Resolve})
	for _, f := range t.Files() {
		c.file(f)
	}
	switch proxy := c.Config.Download.Proxy; proxy {
	case "":
		c.pass("no proxy is configured: the daemon's environment says whether there is one")
	case fetch.NoProxy:
		c.pass("no proxy is used")
	default:
		c.pass("through the proxy %s", proxy)
	}
}

func (c *checkup) file(f fetch.File) {
	key, now := "download."+f.Key, c.Clock.Now()
	switch {
	case errors.Is(f.Err, fs.ErrPermission) && os.Geteuid() != 0:
		c.warn(asRoot, "%s cannot be looked at: %v", key, f.Err)
		return
	case f.Err != nil:
		c.fail(say("correct the file, or the key in %s", c.ConfigFile), "%s cannot be used: %v", key, f.Err)
		return
	case !f.Expires.IsZero() && now.After(f.Expires):
		c.fail(say("renew it"), "the certificate in %s (%s) has expired on %s", f.Path, key, f.Expires.UTC().Format(time.DateOnly))
	case !f.Expires.IsZero() && now.Add(renewal).After(f.Expires):
		c.warn(say("renew it"), "the certificate in %s (%s) expires on %s", f.Path, key, f.Expires.UTC().Format(time.DateOnly))
	}
	c.owned(f.Path, f.Host)
	if o, err := look.OwnerOf(f.Host); err == nil && f.Secret && o.Mode&0o004 != 0 {
		c.warn(run("chmod o-rwx %s", quote(f.Host)), "%s (%s) is a secret that everybody can read", f.Path, key)
	}
}
