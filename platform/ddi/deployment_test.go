package ddi_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/source"
)

func TestDeployment(t *testing.T) {
	for _, plainName := range []bool{false, true} {
		w := newWorld(t)
		w.server.Switch(func(s *dditest.Switches) { s.PlainName = plainName })
		_, d := w.assigned(dditest.Forced)
		require.True(t, d.Artifact.URL.Equal(source.New(me+"/softwaremodules/1/artifacts/app-1.1.0.tope")))
		d.Artifact.URL = source.URL{}
		require.Equal(t, fmt.Sprintf("%+v", ddi.Deployment{Action: "1", Download: ddi.Forced, Update: ddi.Forced, Artifact: ddi.Artifact{
			Name: "app-1.1.0.tope", Version: "1.1.0", Size: int64(len(w.bundle)), SHA256: fmt.Sprintf("%x", sha256.Sum256(w.bundle)),
		}}), fmt.Sprintf("%+v", d))
	}
}

func TestHandling(t *testing.T) {
	w := newWorld(t)
	is := func(a string) [3]string {
		d, err := w.client.Deployment(w.ctx(), ddi.Link{Action: a})
		require.NoError(t, err)
		return [3]string{string(d.Download), string(d.Update), string(d.Window)}
	}
	a, _ := w.assigned(dditest.Soft)
	require.Equal(t, [3]string{"attempt", "attempt", ""}, is(a))
	require.NoError(t, w.client.Feedback(w.ctx(), telling(a, ddi.Failed)))
	a, _ = w.assigned(dditest.DownloadOnly)
	require.Equal(t, [3]string{"forced", "skip", ""}, is(a))
	require.NoError(t, w.client.Feedback(w.ctx(), telling(a, ddi.Downloaded)))
	require.Nil(t, w.poll().Deployment, "downloaded is its end")
	a, _ = w.assigned(dditest.Forced)
	w.server.Window(a, false)
	require.Equal(t, [3]string{"forced", "skip", "unavailable"}, is(a))
	require.NotNil(t, w.poll().Deployment)
	w.server.Window(a, true)
	require.False(t, w.poll().Unchanged, "a window that opens is seen")
	require.Equal(t, [3]string{"forced", "forced", "available"}, is(a))
}

func TestConfirmation(t *testing.T) {
	w := newWorld(t)
	w.server.Switch(func(s *dditest.Switches) { s.Confirmation = true })
	w.server.Assign("dev1", 1, dditest.Forced)
	a := w.poll()
	d, err := w.client.Confirmation(w.ctx(), *a.Confirmation)
	require.NoError(t, err)
	require.Equal(t, "app-1.1.0.tope", d.Artifact.Name)
	_, err = w.client.Deployment(w.ctx(), *a.Confirmation)
	fails(t, err, ddi.Unknown)
	require.NoError(t, w.client.Deny(w.ctx(), "1", "busy <printing>"))
	require.Equal(t, []string{"denied", "busy ‹printing›"}, w.server.Action("1").Entries[1].Messages)
	require.NotNil(t, w.poll().Confirmation)
	require.NoError(t, w.client.Confirm(w.ctx(), "1"))
	require.NotNil(t, w.poll().Deployment)
}

// TestUnfit: what this device cannot take is said in words for the server's people.
func TestUnfit(t *testing.T) {
	one := func(name string) []dditest.Module {
		return []dditest.Module{{Type: "application", Artifacts: []dditest.File{{Name: name, Body: []byte("x")}}}}
	}
	for says, modules := range map[string][]dditest.Module{
		"there is no artifact in the set: this device takes exactly one .tope or .zip":           {{Type: "application"}},
		"the set has several artifacts, among them a.tope and b.zip: this device":                append(one("a.tope"), one("b.zip")...),
		"the artifact rootfs.swu is of another kind: this device takes exactly one":              one("rootfs.swu"),
		"the artifact .. x.tope has a name that a file cannot have":                              one("..\nx.tope"),
		"the artifact " + strings.Repeat("y", 77) + "… has a name that a file cannot have":       one(strings.Repeat("y", 300) + ".zip"),
		"the artifact tope is of another kind":                                                   one("tope"),
		"the artifact " + strings.Repeat("é", 38) + "… is of another kind: this device takes ex": one(strings.Repeat("é", 100)),
	} {
		w := newWorld(t)
		w.server.AddSet(dditest.Set{Name: "s", Version: "1", Modules: modules})
		w.server.Assign("dev1", 2, dditest.Forced)
		d, err := w.client.Deployment(w.ctx(), *w.poll().Deployment)
		require.NoError(t, err)
		require.Contains(t, d.Unfit, says)
		require.True(t, d.Artifact.URL.Empty())
		require.NoError(t, w.client.Feedback(w.ctx(), telling(d.Action, ddi.Failed, d.Unfit)))
		require.Equal(t, []string{d.Unfit}, w.server.Action(d.Action).Entries[2].Messages)
	}
	for _, fit := range []string{"r.zip", "R.TOPE"} {
		w := newWorld(t)
		w.server.AddSet(dditest.Set{Name: "s", Version: "1", Modules: append(one(fit), dditest.Module{Type: "runtime"})})
		w.server.Assign("dev1", 2, dditest.Forced)
		d, err := w.client.Deployment(w.ctx(), *w.poll().Deployment)
		require.NoError(t, err)
		require.Empty(t, d.Unfit)
	}
}

// action is the text of action 1 with one artifact, each part as given.
func action(file, hashes, size, links string) string {
	return `{"id":"1","deployment":{"download":"forced","update":"forced","chunks":[{"version":"1","artifacts":[{"filename":"` + file +
		`","hashes":` + hashes + `,"size":` + size + `,"_links":` + links + `}]}]}}`
}

func TestUnusualActions(t *testing.T) {
	const link = `{"download":{"href":"https://hawkbit.test/a.tope"}}`
	digest := strings.Repeat("Ab", 32)
	for body, unfit := range map[string]string{
		action("a.tope", `{"sha1":"x"}`, "5", link):                                           "", // goosebit
		action("a.tope", `{"sha256":"`+digest+`"}`, "5", link):                                "",
		action("a.tope", `{"sha256":"`+digest[1:]+`"}`, "5", link):                            "not 64 hexadecimal digits",
		action("a.tope", `{"sha256":"`+digest+`00"}`, "5", link):                              "not 64 hexadecimal digits",
		action("a.tope", `{}`, "0", link):                                                     "a size that a bundle cannot have",
		action("a.tope", `{}`, "-1", link):                                                    "a size that a bundle cannot have",
		action("a.tope", `{}`, "9000000000000", link):                                         "a size that a bundle cannot have",
		action("a.tope", `{}`, "5", `{}`):                                                     "no link to download it",
		action("a.tope", `{}`, "5", `{"md5sum":{"href":"x"}}`):                                "no link to download it",
		action("a/b.tope", `{}`, "5", link):                                                   "a name that a file cannot have",
		action("a.tope", `{}`, "5", `{"download":{"href":"/`+strings.Repeat("x", 9000)+`"}}`): "cannot be downloaded",
	} {
		w := newWorld(t)
		w.trouble(dditest.Trouble{Status: 200, Header: jsonHeader(), Body: body})
		d, err := w.client.Deployment(w.ctx(), ddi.Link{Action: "1"})
		require.NoError(t, err)
		if unfit == "" {
			require.Empty(t, d.Unfit)
			require.Equal(t, strings.ToLower(d.Artifact.SHA256), d.Artifact.SHA256)
			continue
		}
		require.Contains(t, d.Unfit, unfit, body)
	}
	for _, body := range []string{
		"null", "[]", "{}", `{"id":"1"}`, `{"id":1}`,
		strings.Replace(action("a.tope", `{}`, "5", link), `"1"`, `"2"`, 1),
		strings.Replace(action("a.tope", `{}`, "5", link), "forced", "now", 1),
		strings.Replace(action("a.tope", `{}`, "5", link), `"chunks"`, `"maintenanceWindow":"ajar","chunks"`, 1),
		action("a.tope", `{}`, "9000000000000000000000", link),
	} {
		w := newWorld(t)
		w.trouble(dditest.Trouble{Status: 200, Header: jsonHeader(), Body: body})
		_, err := w.client.Deployment(w.ctx(), ddi.Link{Action: "1"})
		require.Contains(t, fails(t, err, ddi.Outage).Error(), "is not understood", body)
	}
}

// TestLinks: path and query, of the server itself or of who is named.
func TestLinks(t *testing.T) {
	const artifact = "/DEFAULT/controller/v1/dev1/softwaremodules/1/artifacts/app-1.1.0.tope"
	for links, c := range map[string]struct{ aliases, mirrors, url, says string }{
		host:                     {url: host},
		"https://HAWKBIT.test":   {url: host},
		"":                       {says: "leads to http://hawkbit.test; set server.forward-headers-strategy=NATIVE at hawkBit, or allow http://hawkbit.test as an alias"},
		"http://hawkbit.test":    {aliases: "http://hawkbit.test", url: host},
		"http://10.0.0.1:8080":   {aliases: "http://10.0.0.1:8080/", url: host},
		"https://evil.test":      {says: "leads to https://evil.test; correct the server"},
		"https://u:s3cr3t@h":     {says: "is not a URL that can be asked"},
		"https://hawkbit.test:1": {says: "leads to https://hawkbit.test:1"},
		"ftp://hawkbit.test":     {says: "leads to ftp://hawkbit.test"},
		"https://cdn.test":       {mirrors: "https://cdn.test", says: "leads to https://cdn.test"},
		"mailto:x":               {says: "is not a URL that can be asked"},
	} {
		w := newWorld(t)
		w.client = w.newClient(func(cfg *ddi.Config) {
			if c.aliases != "" {
				cfg.Aliases = []string{c.aliases}
			}
			if c.mirrors != "" {
				cfg.Mirrors = []string{c.mirrors}
			}
		})
		w.server.Switch(func(s *dditest.Switches) { s.Links = links })
		w.server.Assign("dev1", 1, dditest.Forced)
		_, err := w.client.Poll(w.ctx())
		d, at := ddi.Deployment{}, error(nil)
		if links != "" {
			d, at = w.client.Deployment(w.ctx(), ddi.Link{Action: "1"})
		}
		switch {
		case c.says != "":
			require.Contains(t, fails(t, err, ddi.Elsewhere).Error(), c.says)
			require.Equal(t, ddi.Later, ddi.Judge(err))
			if c.mirrors == "" && links != "" {
				fails(t, at, ddi.Elsewhere)
			} else if links != "" {
				require.NoError(t, at, "a mirror has artifacts, and nothing else")
				require.True(t, d.Artifact.URL.Equal(source.New(c.mirrors+artifact)))
			}
		default:
			require.NoError(t, err)
			require.NoError(t, at)
			require.Equal(t, c.url+artifact, d.Artifact.URL.Redacted())
		}
	}
}

// TestLinksOfThePoll lead below this device's own resource.
func TestLinksOfThePoll(t *testing.T) {
	for link, ok := range map[string]bool{
		me + "/deploymentBase/1":                                   true,
		me + "/deploymentBase/1?c=5":                               true,
		me + "/deploymentBase/-1":                                  true, // goosebit's plugins
		"/DEFAULT/controller/v1/dev1/deploymentBase/1":             true,
		host + "/DEFAULT/controller/v1/dev2/deploymentBase/1":      false,
		me + "/deploymentBase/":                                    false,
		me + "/deploymentBase/1/feedback":                          false,
		me + "/deploymentBase/..":                                  false,
		me + "/deploymentBase/%31%2f":                              false,
		me + "/cancelAction/1":                                     false,
		host + "/other/deploymentBase/1?t=s3cr3t":                  false,
		"https://evil.test/DEFAULT/controller/v1/dev1/deployment/": false,
	} {
		w := newWorld(t)
		w.trouble(dditest.Trouble{Status: 200, Header: jsonHeader(), Body: `{"_links":{"deploymentBase":{"href":"` + link + `"}}}`})
		a, err := w.client.Poll(w.ctx())
		if !ok {
			fails(t, err, ddi.Elsewhere)
			continue
		}
		require.NoError(t, err, link)
		require.NotNil(t, a.Deployment)
	}
}

// TestTheQueryOfALinkIsAskedForAndNotShown.
func TestTheQueryOfALinkIsAskedForAndNotShown(t *testing.T) {
	w := newWorld(t)
	w.trouble(dditest.Trouble{Status: 200, Header: jsonHeader(), Body: `{"_links":{"deploymentBase":{"href":"` + me + `/deploymentBase/1?c=s3cr3t"}}}`})
	a := w.poll()
	w.server.Requests()
	w.trouble(dditest.Trouble{Status: 500})
	_, err := w.client.Deployment(w.ctx(), *a.Deployment)
	require.Contains(t, fails(t, err, ddi.Outage).Error(), "deploymentBase/1?c=…")
	require.Equal(t, []string{"GET /DEFAULT/controller/v1/dev1/deploymentBase/1?c=s3cr3t"}, w.server.Requests())
	w.trouble(dditest.Trouble{Unheard: true})
	_, err = w.client.Deployment(w.ctx(), *a.Deployment)
	require.Contains(t, fails(t, err, ddi.Outage).Error(), "deploymentBase/1?c=…: unexpected EOF")
}

// TestDownload: the bundle comes with the token, in parts and by what the server says of it.
func TestDownload(t *testing.T) {
	w := newWorld(t)
	_, d := w.assigned(dditest.Forced)
	url := d.Artifact.URL.Redacted()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header.Set("Range", "bytes=2-")
	require.NoError(t, w.client.Authorize(r))
	resp, err := w.server.RoundTrip(r)
	require.NoError(t, err)
	require.Equal(t, 206, resp.StatusCode)
	part, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, string(w.bundle[2:]), string(part))
}
