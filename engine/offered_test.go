package engine

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// A digest of a step that has not looked into the bundle is the file's, and says nothing
// of the release. Once the version is known, so is the release.
func TestOffered(t *testing.T) {
	x, y := digestPrefix+strings.Repeat("a", 64), digestPrefix+strings.Repeat("b", 64)
	offer := func(digest string) *journal.Update {
		text, err := json.Marshal(recorded{Source: steps.Source{URL: source.New("https://h/a?t=s3cr3t"), Digest: digest}})
		require.NoError(t, err)
		return &journal.Update{ID: "u", Source: text}
	}
	for name, c := range map[string]struct {
		offer string
		found steps.Release
		code  steps.Code
	}{
		"the same":                    {x, steps.Release{Version: "1.0.0", Digest: x}, ""},
		"another":                     {x, steps.Release{Version: "1.0.0", Digest: y}, steps.OfferMismatch},
		"a package":                   {x, steps.Release{Version: "1.0.0", Digest: "md5:00"}, steps.OfferMismatch},
		"a file, before it is opened": {x, steps.Release{Digest: "md5:00"}, ""},
		"nothing found yet":           {x, steps.Release{}, ""},
		"a request for any release":   {"", steps.Release{Version: "1.0.0", Digest: y}, ""},
		"services are known, no more": {x, steps.Release{Version: "1.0.0"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := offered(offer(c.offer), c.found)
			if c.code == "" {
				require.Nil(t, err)
				return
			}
			require.Equal(t, c.code, err.Code)
			require.NotContains(t, err.Error()+err.Details, "s3cr3t")
		})
	}
	require.Nil(t, offered(&journal.Update{}, steps.Release{Version: "1.0.0", Digest: x}), "no source: a rollback")
	require.NotNil(t, offered(&journal.Update{Source: []byte("{")}, steps.Release{Version: "1.0.0", Digest: x}))
}

// What a source may say of its offer, and what is refused before it is journaled.
func TestCheckSourceOfAnOffer(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for name, c := range map[string]struct {
		src steps.Source
		ok  bool
	}{
		"all of it":         {steps.Source{SHA256: hex, Digest: "sha256:" + hex, Signed: true, Credential: "channel stable", Sparing: true}, true},
		"capitals":          {steps.Source{SHA256: strings.ToUpper(hex)}, false},
		"too short":         {steps.Source{SHA256: hex[1:]}, false},
		"no hex":            {steps.Source{SHA256: strings.Repeat("0g", 32)}, false},
		"no kind of digest": {steps.Source{Digest: hex}, false},
		"another kind":      {steps.Source{Digest: "md5:" + hex}, false},
		"a short digest":    {steps.Source{Digest: "sha256:" + hex[:62]}, false},
		"a long name":       {steps.Source{Credential: strings.Repeat("a", maxCredential+1)}, false},
		"two lines":         {steps.Source{Credential: "a\nb"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.URL = source.New("https://h/a")
			_, err := checkSource(c.src)
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
}

// Requests that differ in any word are not the same. A field of steps.Source that is new
// fails here until same knows it.
func TestSame(t *testing.T) {
	a := steps.Source{URL: source.New("https://h/a")}
	require.True(t, same(a, steps.Source{URL: source.New("https://h/a")}))
	for i := range reflect.TypeFor[steps.Source]().NumField() {
		b := a
		switch f := reflect.ValueOf(&b).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int64:
			f.SetInt(1)
		case reflect.Bool:
			f.SetBool(true)
		default:
			b.URL = source.New("https://h/b")
		}
		require.False(t, same(a, b), reflect.TypeFor[steps.Source]().Field(i).Name)
	}
}
