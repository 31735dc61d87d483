package download

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// goodOnce answers the first request of each link with b, and the others with 410.
func goodOnce(b []byte) func(talk) {
	used := map[string]bool{}
	return func(k talk) { // requests come one after the other
		link := k.req.URL.String()
		if used[link] {
			answer("HTTP/1.1 410 Gone\nContent-Length: 0")(k)
			return
		}
		used[link] = true
		k.ranged(b, len(b))
	}
}

// TestAPackageByLinksThatAreGoodOnce: nothing tells that the first link leads to a package,
// so finding out the format uses it up. The next link is asked for everything at once.
func TestAPackageByLinksThatAreGoodOnce(t *testing.T) {
	b := bundleOf(300_000, 3)
	for name, path := range map[string]string{"of the same place": "/get?once=2", "of another place": "/other?once=2"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, goodOnce(b))
			base := strings.TrimSuffix(s.url(), "/r.zip")
			step := stepFor(s.clk, func(c *Config) { c.Partial, c.Shelf = published(2000), filepath.Join(t.TempDir(), "shelf") })
			task := newTask(t, at(base+"/get?once=1"))
			stepstest.Fails(t, step, task, steps.Unavailable, steps.DownloadFailed)
			require.NoError(t, step.Undo(t.Context(), task))

			before := s.requests()
			task = newTask(t, at(base+path))
			requireBundle(t, task, b, mustDo(t, step, task))
			require.Equal(t, 1, s.requests()-before)
		})
	}
}

// TestALoginPageDoesNotUseUpALink: a page shows nothing of the file. So a link that is good
// once is asked for everything again, and the file is not compared with the page.
func TestALoginPageDoesNotUseUpALink(t *testing.T) {
	b := bundleOf(300_000, 3)
	page := answer("HTTP/1.1 200 OK\nContent-Type: text/html\nETag: \"login\"\nContent-Length: 13\n\n<html>Log in!")
	for name, md5 := range map[string]string{"nothing declared": "", "an MD5 without a size": sum(b)} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, first(page, goodOnce(b)))
			task := newTask(t, at(s.url()+"?once"))
			task.Source.MD5 = md5
			requireBundle(t, task, b, mustDo(t, partialStep(published(2000)), task))
			require.Equal(t, []string{"", ""}, s.ranges())
		})
	}
}
