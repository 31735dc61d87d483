package timeline_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

var update = flag.Bool("update", false, "write the golden files anew")

// story writes records the way the engine does.
type story struct {
	records []journal.Record
	boot    string
	wall    time.Time
	mono    time.Duration
	id      string
}

func newStory(id string) *story {
	return &story{id: id, boot: "boot-1", wall: time.Date(2026, 3, 1, 23, 59, 58, 0, time.UTC), mono: time.Hour}
}

func (s *story) pass(d time.Duration) *story {
	s.wall, s.mono = s.wall.Add(d), s.mono+d
	return s
}

func (s *story) reboot(dark time.Duration) *story {
	s.wall, s.mono, s.boot = s.wall.Add(dark), 3*time.Second, s.boot+"+"
	return s
}

func (s *story) write(r journal.Record) *story {
	r.Seq, r.Time, r.Mono, r.Boot = uint64(len(s.records)+1), s.wall, s.mono, s.boot
	if r.Update == "" && r.Damage == nil {
		r.Update = s.id
	}
	s.records = append(s.records, r)
	return s
}

func (s *story) asked() *story {
	return s.write(journal.Record{
		Phase: journal.Outcome, Trigger: "accept", From: "Idle", To: "Requested",
		Accept: &journal.Accept{
			Kind: "install", Source: json.RawMessage(`{"url":"http://127.0.0.1/app-1.1.0.zip"}`),
			From: "1.0.0", Before: versions.Pointers{Current: "1.0.0", Factory: "1.0.0"},
		},
	})
}

// step is a step's outcome with the move it causes and the next step's intent.
func (s *story) step(name journal.Step, from, to journal.State, next journal.Step, took time.Duration, evidence string) *story {
	s.pass(took).write(journal.Record{
		Phase: journal.Outcome, Step: name, Attempt: 1, Took: took, Evidence: json.RawMessage(evidence),
		Trigger: "succeed", From: from, To: to, Terminal: to == "Committed",
	})
	if next != "" {
		s.intent(next, 1)
	}
	return s
}

func (s *story) intent(step journal.Step, attempt int) *story {
	r := journal.Record{Phase: journal.Intent, Step: step, Attempt: attempt}
	if step == "Switch" {
		r.Evidence = json.RawMessage(`{"before":{"current":"1.0.0","previous":"","factory":"1.0.0"},"target":{"current":"1.1.0","previous":"1.0.0","factory":"1.0.0"}}`)
	}
	return s.write(r)
}

func (s *story) toSwitching() *story {
	s.asked().write(journal.Record{Phase: journal.Outcome, Trigger: "fetch", From: "Requested", To: "Downloading"}).intent("Download", 1)
	s.step("Download", "Downloading", "Verifying", "Verify", 900*time.Millisecond, `{"bytes":12345678,"md5":"0123456789abcdef0123456789abcdef","resumed_bytes":0}`)
	s.pass(300 * time.Millisecond).write(journal.Record{
		Phase: journal.Outcome, Step: "Verify", Attempt: 1, Took: 300 * time.Millisecond, Trigger: "succeed", From: "Verifying", To: "Ready",
		Learn: &journal.Learn{To: "1.1.0", Digest: "md5:0123456789abcdef0123456789abcdef"},
	})
	s.write(journal.Record{Phase: journal.Outcome, Trigger: "proceed", From: "Ready", To: "Extracting"}).intent("Extract", 1)
	s.step("Extract", "Extracting", "Staging", "Stage", time.Second, `{"files":20,"bytes":100000000}`)
	return s.step("Stage", "Staging", "Switching", "Switch", 1500*time.Millisecond, "")
}

func TestStories(t *testing.T) {
	for name, s := range map[string]*story{
		"good": newStory("u-1").toSwitching().
			step("Switch", "Switching", "Restarting", "Restart", 80*time.Millisecond, `{"stopped":["web-server","device-api"],"took_ns":80000000}`).
			step("Restart", "Restarting", "CheckingHealth", "HealthCheck", 200*time.Millisecond, `{"services":[{"name":"device-api","main_pid":17},{"name":"web-server","main_pid":18}],"downtime_ns":290000000}`).
			step("HealthCheck", "CheckingHealth", "Committing", "Commit", 5*time.Second, "").
			step("Commit", "Committing", "Committed", "", 10*time.Millisecond, "").
			pass(40 * time.Millisecond).write(journal.Record{Phase: journal.Outcome, Closed: true}),
		"power cut": newStory("u-2").toSwitching().
			reboot(40*time.Second).
			write(journal.Record{Phase: journal.Outcome, Spend: &journal.Spend{By: "recover", Cost: 1}}).
			write(journal.Record{
				Phase: journal.Observed, Evidence: json.RawMessage(`{"pointers":{"current":"1.0.0","previous":"1.0.0","factory":"1.0.0"},"marker":"1.0.0"}`),
				Rule: "forward", Why: "interrupted in Switching; on to 1.1.0",
			}).
			write(journal.Record{Phase: journal.Outcome, Trigger: "succeed", From: "Switching", To: "Restarting", Why: "recovery completed the switch"}).
			intent("Restart", 1),
		"killed while downloading": newStory("u-3").asked().
			write(journal.Record{Phase: journal.Outcome, Trigger: "fetch", From: "Requested", To: "Downloading"}).
			intent("Download", 1).pass(3*time.Second).
			write(journal.Record{Phase: journal.Observed, Rule: "resume", Why: "interrupted in Downloading; the device is unchanged"}).
			intent("Download", 2).pass(time.Second),
		"unhealthy": newStory("u-4").toSwitching().
			step("Switch", "Switching", "Restarting", "Restart", 80*time.Millisecond, "").
			step("Restart", "Restarting", "CheckingHealth", "HealthCheck", 200*time.Millisecond, "").
			pass(30*time.Second).
			write(journal.Record{
				Phase: journal.Outcome, Step: "HealthCheck", Attempt: 1, Took: 30 * time.Second, Trigger: "fail", From: "CheckingHealth", To: "RollingBack",
				Error: &journal.Failure{Code: "HEALTH_CHECK_FAILED", Class: "unhealthy", Text: "device-api: GET http://127.0.0.1:9080/health: 503"},
			}).
			write(journal.Record{Phase: journal.Outcome, Quarantine: &journal.Quarantined{Version: "1.1.0", Digest: "md5:0123", Reason: "HEALTH_CHECK_FAILED: 503"}}).
			intent("Rollback", 1).pass(time.Second).
			write(journal.Record{Phase: journal.Outcome, Step: "Rollback", Attempt: 1, Took: time.Second, Trigger: "succeed", From: "RollingBack", To: "RolledBack", Terminal: true}),
		"damage and a jump of the clock": newStory("u-5").
			write(journal.Record{Phase: journal.Observed, Damage: &journal.Damage{Kind: "truncated", Kept: "/var/lib/tope-updater/journal.db.damaged-1", Text: "the file ends before its last page"}}).
			asked().clockSet(2 * time.Hour).
			write(journal.Record{Phase: journal.Outcome, Trigger: "cancel", From: "Requested", To: "Cancelled", Terminal: true}),
		"a newer program": newStory("u-6").
			write(journal.Record{Phase: "dreamt", Step: "Imagine", To: "Dreaming", Evidence: json.RawMessage(`{"x":[1,2,3,4,5,6,7,8,9,10],"y":{"z":{"deep":true}},"n":null,"f":1.5}`)}).
			write(journal.Record{Phase: journal.Outcome, Step: "Imagine", Evidence: json.RawMessage(`not JSON`)}),
		"a fleet": fleetStory(),
	} {
		t.Run(name, func(t *testing.T) {
			tl := timeline.Build(s.records)
			var text bytes.Buffer
			require.NoError(t, timeline.Write(&text, tl, nil))
			golden(t, name+".txt", text.Bytes())
			for _, c := range tl.Chapters {
				for i := range c.Entries {
					if !json.Valid(c.Entries[i].Evidence) {
						c.Entries[i].Evidence = nil
					}
				}
			}
			doc, err := json.MarshalIndent(tl, "", " ")
			require.NoError(t, err)
			golden(t, name+".json", doc)
		})
	}
}

func (s *story) clockSet(jump time.Duration) *story {
	s.wall = s.wall.Add(jump)
	return s
}

func TestEmptyJournalHasNoChapters(t *testing.T) {
	tl := timeline.Build(nil)
	doc, err := json.Marshal(tl)
	require.NoError(t, err)
	require.JSONEq(t, `{"schema":1,"chapters":[]}`, string(doc))
}

func TestEachUpdateIsAChapterOfItsOwn(t *testing.T) {
	s := newStory("u-1").asked()
	s.id = "u-2"
	s.asked()
	s.id = "u-1"
	s.pass(time.Second).write(journal.Record{Phase: journal.Outcome, Closed: true})
	tl := timeline.Build(s.records)
	require.Len(t, tl.Chapters, 2)
	require.Equal(t, "u-1", tl.Chapters[0].Update)
	require.Equal(t, time.Second, tl.Chapters[0].Took)
	require.Len(t, tl.Chapters[1].Entries, 2)
}

func TestColourIsByMeaning(t *testing.T) {
	var text bytes.Buffer
	mark := func(c timeline.Colour, s string) string {
		if c == timeline.Bad {
			return "<bad>" + s + "</bad>"
		}
		return s
	}
	s := newStory("u").asked().write(journal.Record{Phase: journal.Outcome, Trigger: "fail", From: "Requested", To: "Failed", Terminal: true, Error: &journal.Failure{Code: "X", Text: "y"}})
	require.NoError(t, timeline.Write(&text, timeline.Build(s.records), mark))
	require.Contains(t, text.String(), "<bad>    X: y</bad>")
	require.Contains(t, text.String(), "<bad>Failed")
}

func TestTextCannotCommandTheTerminal(t *testing.T) {
	var text bytes.Buffer
	s := newStory("u").asked().write(journal.Record{
		Phase: journal.Outcome, Step: "Download", Evidence: json.RawMessage(`{"server":"\u001b[2J"}`),
		Error: &journal.Failure{Code: "X", Text: "\x1b]0;owned\x07"},
	})
	require.NoError(t, timeline.Write(&text, timeline.Build(s.records), nil))
	require.NotContains(t, text.String(), "\x1b")
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-"))
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), string(got))
}

// A journal of version 0.9 has URLs with their secrets. The story leaves them out.
func TestTheSecretsOfASourceAreNotTold(t *testing.T) {
	tale := timeline.Build([]journal.Record{{Update: "u", Accept: &journal.Accept{Source: json.RawMessage(`{"url":"https://me:s3cr3t@h/r.tope?t=s3cr3t"}`)}}})
	require.Equal(t, "https://h/r.tope?t=…", tale.Chapters[0].Source)
}

// A time that nobody noted is told as such, and not as the year 1.
func TestTimesThatNobodyNoted(t *testing.T) {
	var text bytes.Buffer
	s := newStory("u").asked()
	s.step("Download", "Requested", "Verifying", "", time.Second, `{"first":"0001-01-01T00:00:00Z","last":"2026-03-01T10:00:00Z"}`)
	s.wall = time.Time{}
	s.write(journal.Record{Phase: journal.Outcome, Closed: true})
	require.NoError(t, timeline.Write(&text, timeline.Build(s.records), nil))
	require.Contains(t, text.String(), "first no known time, last 10:00:00 UTC")
	require.NotContains(t, text.String(), "0001-01-01")
	require.NotContains(t, text.String(), "first 00:00:00")
	require.Contains(t, text.String(), "\n  no known time\n")
}
