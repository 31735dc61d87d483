package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

func at(percent int) engine.UpdateStatus {
	return engine.UpdateStatus{State: engine.Downloading, Bytes: int64(percent) * 1000, Total: 100_000, Progress: percent}
}

func chapter(states ...engine.State) timeline.Chapter {
	var recs []journal.Record
	for i, s := range states {
		recs = append(recs, journal.Record{Seq: uint64(i + 1), Update: "u", Phase: journal.Outcome, To: s})
	}
	return timeline.Build(recs).Chapters[0]
}

// A version whose time of publication nobody knows has none in the list.
func TestAVersionWithoutATime(t *testing.T) {
	var out bytes.Buffer
	(&terminal{out: &out}).versions([]httpapi.InstalledVersion{{Info: versions.Info{Version: "1.0.0"}}})
	require.NotContains(t, out.String(), "0001")
	require.Regexp(t, `1\.0\.0 .* -(\n|$)`, out.String())
}

func TestAPipeGetsALineForEachStateAndEachTenPercent(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&terminal{out: &out})
	p.tell(chapter(engine.Requested, engine.Downloading))
	for percent := range 36 {
		p.show(at(percent))
	}
	p.tell(chapter(engine.Requested, engine.Downloading, engine.Verifying))
	p.close()
	require.Equal(t, `  Requested
  Downloading
    Downloading      10 %  10.0 kB of 100 kB
    Downloading      20 %  20.0 kB of 100 kB
    Downloading      30 %  30.0 kB of 100 kB
  Verifying
`, trimmed(out.String()))
}

func TestATerminalGetsABarThatLinesReplace(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&terminal{out: &out, live: true})
	p.show(at(50))
	p.show(at(60))
	p.tell(chapter(engine.Verifying))
	require.Equal(t, "\r\x1b[K    [###############---------------]  50 %  50.0 kB of 100 kB"+
		"\r\x1b[K    [##################------------]  60 %  60.0 kB of 100 kB"+
		"\r\x1b[K  Verifying\n", trimmed(out.String()))
}

func TestJSONHasNoProgressBetween(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&terminal{out: &out, json: true, live: true})
	p.show(at(50))
	p.tell(chapter(engine.Verifying))
	require.Empty(t, out.String())
}

func trimmed(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func TestAnErrorIsOneLineOrOneObject(t *testing.T) {
	var text, doc bytes.Buffer
	(&terminal{err: &text}).fail(engine.ErrNotFound)
	require.Equal(t, "tope-updater: not found\n", text.String())
	(&terminal{err: &doc, json: true}).fail(engine.ErrNotFound)
	require.JSONEq(t, `{"error":"not found","exit":3}`, doc.String())
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// "tope-updater status > file" on a full disk must not look like an answer.
func TestAnAnswerThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, inJSON := range []bool{false, true} {
		term := &terminal{out: fullDisk{}, json: inJSON}
		require.ErrorContains(t, term.answer(1, func(t *terminal) { t.say("one") }), "no space left")
	}
}

func TestJournaldSeesPriorities(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newPriorityHandler(&out)).With("a", 1)
	log.Error("bad")
	log.Warn("odd")
	log.Info("fine", "b", 2)
	require.Equal(t, "<3>msg=bad a=1\n<4>msg=odd a=1\n<6>msg=fine a=1 b=2\n", out.String())
}

func TestStatusForPeople(t *testing.T) {
	var st httpapi.Status
	require.NoError(t, json.Unmarshal([]byte(`{"state":"Downloading","pointers":{"current":"1.0.0"},"strange":{"factory":"leads to /x, which is not a version"},
		"services":[{"name":"device-api","running":true,"versions":["1.0.0"],"text":"runs from 1.0.0"}],
		"update":{"id":"u","kind":"install","from":"1.0.0","state":"Downloading","bytes":5000,"progress":50},
		"quarantine":[{"version":"0.9.0","digest":"md5:1","reason":"sick"}],"journal":{"seq":7,"damaged":true}}`), &st))
	var out bytes.Buffer
	(&terminal{out: &out}).status(st)
	require.Equal(t, `state       Downloading
current     1.0.0
previous    none
factory     leads to /x, which is not a version
service     device-api runs from 1.0.0
update      u: install 1.0.0 -> ?: Downloading
            50 %, 5.00 kB
quarantine  0.9.0 (md5:1): sick
journal     7 records
            it was damaged once; "tope-updater journal show --all" tells what was lost
`, out.String())
}

// What servers, bundles and clients have written does nothing to a terminal: it cannot
// move the cursor, turn a line, or colour it. The program's own colours are there.
func TestForeignTextCommandsNoTerminal(t *testing.T) {
	const evil = "1.0\u202egpj\x1b[31m\r\x1b[K\u009b2J\u2028ok"
	q := []journal.Quarantined{{Version: evil, Digest: evil, Reason: evil + "\nversion ok", Update: evil}}
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		term := &terminal{out: &out, err: &out, live: colour}
		if colour {
			term.mark = "a random mark"
		}
		term.quarantine(q)
		term.status(httpapi.Status{
			Strange: map[string]string{"current": evil}, Denied: []string{evil}, Services: []httpapi.Service{{Name: evil, Text: evil}},
			Status: engine.Status{Quarantine: q, Committed: evil, Trust: evil, Last: &engine.UpdateStatus{ID: evil, Error: &engine.ErrorStatus{Text: evil}}},
		})
		term.timeline(timeline.Build([]journal.Record{{Update: evil, Why: evil, Rule: "x"}}))
		term.note("%s", evil)
		term.fail(errors.New(evil))
		term.json = true
		require.NoError(t, term.answer(q, nil))
		_, err := term.changed(q, nil)
		require.NoError(t, err)
		term.fail(errors.New(evil))
		said := out.String()
		require.Equal(t, colour, strings.Contains(said, "\x1b[31m"))
		for _, own := range []string{"\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"} {
			said = strings.ReplaceAll(said, own, "")
		}
		require.Equal(t, printable.Lines(said), said)
		require.NotContains(t, said, "\nversion ok")
		require.Contains(t, said, `1.0\u202egpj\u001b[31m`)
	}
}

// TestWhatABundleCost: "instead of" is for what was saved, as far as it can be seen.
func TestWhatABundleCost(t *testing.T) {
	for want, w := range map[string]steps.Wire{
		"downloaded 2.08 kB, 3 taken from this device": {Head: 2080, Whole: 2081, Local: 3},
		"downloaded 2.08 kB instead of 4.00 kB":        {Head: 2000, Payload: 80, Whole: 4000},
		"downloaded 4.00 kB, everything":               {Head: 2000, Payload: 2000, Whole: 4000, Solid: true},
	} {
		require.Equal(t, want, wire(&w))
	}
}
