package steps_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// kept are facts as journals in the field have them, by step. Every later version
// reads them, so a key never changes: add to this text, and change nothing in it.
var kept = map[string]string{
	"Download": `{
		"size": 4096, "md5": "", "digest": "sha256:12ab", "at": "2026-01-02T03:04:05Z",
		"wire": {"head": 1, "payload": 2, "whole": 30, "saved": 27, "local": 4, "local_bytes": 5, "patched": 6, "patched_bytes": 7,
			"alone": 8, "alone_bytes": 9, "solid": true, "lacking": 10, "signed_by": "release"}
	}`,
	"Verify": `{
		"commands": [{"module": "app", "shell": "true"}],
		"epoch": 7,
		"brought": {
			"health": [{"service": "web", "kind": "active", "stable": "3s"}], "hooks": {"pre-switch": "hooks/pre"},
			"writable": [{"path": "data", "snapshot": true}], "links": ["bin/web"]
		},
		"signed_by": "release"
	}`,
	"Switch": `{
		"stopped_at": {"boot": "b", "mono_ns": 5},
		"units": {"version": "1.1.0", "changes": [{"what": "link", "path": "/etc/systemd/system/web.service"}], "left": [{"unit": "x.service", "why": "y"}]}
	}`,
	"Restart":     `{"figures": [{"service": "web", "what": "start", "took_ns": 6}]}`,
	"HealthCheck": `{"figures": [{"service": "web", "what": "tcp 127.0.0.1:80", "took_ns": 7}]}`,
}

var facts = steps.Facts{
	Download: &steps.Downloaded{
		Fetched: steps.Fetched{Size: 4096, Digest: "sha256:12ab", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		Wire: &steps.Wire{
			Head: 1, Payload: 2, Whole: 30, Saved: 27, Local: 4, LocalBytes: 5, Patched: 6, PatchedBytes: 7,
			Alone: 8, AloneBytes: 9, Solid: true, Lacking: 10, SignedBy: "release",
		},
	},
	Verify: &steps.Verified{
		Commands: []steps.Command{{Module: "app", Shell: "true"}}, Epoch: 7, SignedBy: "release",
		Brought: versions.Brought{
			Health: []health.Check{{Service: "web", Kind: health.Active, Stable: clock.Duration(3 * time.Second)}}, Hooks: map[versions.Hook]string{versions.PreSwitch: "hooks/pre"},
			Writable: []versions.Writable{{Path: "data", Snapshot: true}}, Links: []string{"bin/web"},
		},
	},
	Switch: &steps.Switched{
		StoppedAt: steps.Moment{Boot: "b", Mono: 5},
		Units: &unitfiles.Changes{
			Version: "1.1.0", Changes: []unitfiles.Change{{What: "link", Path: "/etc/systemd/system/web.service"}},
			Left: []unitfiles.Left{{Unit: "x.service", Why: "y"}},
		},
	},
	Restart: &steps.Begun{Figures: []steps.Figure{{Service: "web", What: steps.Start, Took: 6}}},
	Health:  &steps.Judged{Figures: []steps.Figure{{Service: "web", What: steps.CheckOf("tcp", "127.0.0.1:80"), Took: 7}}},
}

// journal is what a journal keeps of each step.
func journal(texts map[string]string) map[string]json.RawMessage {
	found := map[string]json.RawMessage{}
	for step, text := range texts {
		found[step] = json.RawMessage(text)
	}
	return found
}

func TestTheKeysInTheJournal(t *testing.T) {
	read, err := steps.ReadFacts(journal(kept))
	require.NoError(t, err)
	require.Equal(t, facts, read)
	for step, fact := range map[string]any{"Download": facts.Download, "Verify": facts.Verify, "Switch": facts.Switch} {
		raw, err := json.Marshal(fact)
		require.NoError(t, err)
		require.JSONEq(t, kept[step], string(raw))
	}
	note, err := json.Marshal(steps.Prepared{Prepared: true})
	require.NoError(t, err)
	require.Equal(t, `{"prepared":true}`, string(note))
}

// A step without a fact is told apart from a step with an almost empty one, and keys
// that other programs add do no harm.
func TestNoFactAndAnEmptyOne(t *testing.T) {
	read, err := steps.ReadFacts[string](nil)
	require.NoError(t, err)
	require.Equal(t, steps.Facts{}, read)
	read, err = steps.ReadFacts(journal(map[string]string{"Download": "null", "Switch": `{"of_a_later_version":[1]}`, "Extract": `[]`}))
	require.NoError(t, err)
	require.Equal(t, steps.Facts{Switch: &steps.Switched{}}, read)
}

func TestAFactThatCannotBeRead(t *testing.T) {
	texts := map[string]string{"Download": `{"size":1,"md5":1}`, "Verify": `"x"`, "Switch": kept["Switch"]}
	read, err := steps.ReadFacts(journal(texts))
	require.ErrorContains(t, err, "cannot read what Download left in the journal: ")
	require.ErrorContains(t, err, "cannot read what Verify left in the journal: ")
	require.Equal(t, steps.Facts{Switch: facts.Switch}, read, "half of a fact is none")
}

func TestFresh(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		at, now time.Time
		window  time.Duration
		want    bool
	}{
		"now":                 {at, at, time.Hour, true},
		"the last moment":     {at, at.Add(time.Hour), time.Hour, true},
		"a moment later":      {at, at.Add(time.Hour + 1), time.Hour, false},
		"clock went back":     {at, at.Add(-1), time.Hour, false},
		"no window":           {at, at.Add(1e6 * time.Hour), 0, true},
		"no window, but back": {at, at.Add(-1), 0, false},
		"never proved":        {time.Time{}, at, 0, false},
	} {
		require.Equal(t, c.want, steps.Fetched{At: c.at}.Fresh(c.now, c.window), name)
	}
}
