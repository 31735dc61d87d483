package doctor_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/doctor"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/fetch/fetchtest"
)

const (
	channelled = quiet + "[fleet]\nchannel = \"https://h/stable.channel\"\n"
	served     = quiet + "[fleet]\nhawkbit = \"https://h\"\nid = \"printer-7\"\n"
)

// fleetDevice is a device with a machine id; the root is short, for a socket in it.
func fleetDevice(t *testing.T) (root string) {
	t.Helper()
	root, err := os.MkdirTemp("", "fl")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte("0123456789abcdef0123456789abcdef\n"), 0o444))
	return root
}

// theFleet are the findings about the fleet.
func theFleet(all []doctor.Finding) (found []doctor.Finding) {
	for _, f := range all {
		if f.Check == "fleet" {
			found = append(found, f)
		}
	}
	return found
}

func TestDoctorLooksWhetherADeviceCanAsk(t *testing.T) {
	root := fleetDevice(t)
	etc := filepath.Join(root, "etc")
	requireFinding(t, examined(t, root, quiet), "fleet", pass, "no source is configured")
	requireFinding(t, examined(t, root, channelled+"policy = \"none\"\n"), "fleet", pass, "[fleet] policy is \"none\"")
	all := theFleet(examined(t, root, channelled))
	requireFinding(t, all, "fleet", warn, "no daemon runs, so that nobody asks")
	require.Len(t, all, 1)

	require.NoError(t, os.Remove(filepath.Join(etc, "machine-id")))
	requireFinding(t, examined(t, root, channelled), "fleet", fail, "/etc/machine-id is missing")
	require.Len(t, theFleet(examined(t, root, channelled+"id = \"printer-7\"\n")), 1)

	token := filepath.Join(etc, "token")
	withToken := served + "token_file = \"/etc/token\"\n"
	requireFinding(t, examined(t, root, withToken), "fleet", fail, "fleet.token_file: open "+token)
	require.NoError(t, os.WriteFile(token, []byte("S3CRET\n"), 0o644))
	f := requireFinding(t, examined(t, root, withToken), "fleet", fail, "it is a secret that others can get at")
	require.Equal(t, "chown root "+token+" && chmod 600 "+token, f.Run)
	require.NoError(t, os.Chmod(token, 0o600))
	require.Len(t, theFleet(examined(t, root, withToken)), 1)
	require.NoError(t, os.WriteFile(token, []byte("S3CRET\nS3CRET\n"), 0o600))
	f = requireFinding(t, examined(t, root, withToken), "fleet", fail, "the server cannot be asked")
	require.NotContains(t, fmt.Sprintf("%+v", f), "S3CRET")
}

// The certificate by which a server knows this device is among those of the downloads.
func TestDoctorReadsTheCertificateOfAFleet(t *testing.T) {
	root := fleetDevice(t)
	etc := filepath.Join(root, "etc")
	configuration := served + "auth = \"mtls\"\n[[download.server]]\nurl = \"https://h\"\nclient_cert = \"/etc/client.pem\"\nclient_key = \"/etc/client.key\"\n"
	requireFinding(t, examined(t, root, configuration), "download", fail, "client")
	fetchtest.NewAuthority(t).Client(etc, time.Time{}, time.Now().Add(13*24*time.Hour))
	requireFinding(t, examined(t, root, configuration), "download", warn, "the certificate in /etc/client.pem (download.server.client_cert) expires on")
}

func TestDoctorComparesWindowsWithTheirPatience(t *testing.T) {
	root := fleetDevice(t)
	const sunday = "[[fleet.window]]\ndays = [\"sun\"]\nfrom = \"22:00\"\nto = \"04:00\"\n"
	windows := func(text string) []doctor.Finding {
		return theFleet(examined(t, root, channelled+"time_zone = \"UTC\"\n"+text))
	}
	requireFinding(t, windows("max_defer = \"100h\"\n"+sunday), "fleet", warn, "the windows are shut for up to 6 d 18 h, and fleet.max_defer is 4 d 4 h")
	require.Len(t, windows("max_defer = \"106h\"\n"+sunday+"[[fleet.window]]\ndays = [\"wed\"]\nfrom = \"10:00\"\nto = \"12:00\"\n"), 1)
	require.Len(t, windows("max_defer = \"162h\"\n"+sunday), 1)
	require.Len(t, windows("max_defer = \"1h\"\n[[fleet.window]]\nfrom = \"00:00\"\nto = \"24:00\"\n"), 1)
	requireFinding(t, theFleet(examined(t, root, channelled+"time_zone = \"Nowhere/Atlantis\"\n"+sunday)), "fleet", fail, "fleet.time_zone")
}

// early is a clock that was never set.
type early struct{ clock.Clock }

func (early) Now() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestDoctorKnowsAClockFromBeforeTheBuild(t *testing.T) {
	d := device(t, fleetDevice(t), channelled)
	d.Clock, d.Built = early{clock.System()}, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	requireFinding(t, doctor.Examine(t.Context(), d), "fleet", warn, "the clock says 2026-01-01T00:00:00Z, which is before this program was made")
	d.Built = time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)
	require.Len(t, theFleet(doctor.Examine(t.Context(), d)), 1)
}

// What the daemon says of its source is told, and what to do.
func TestDoctorAsksTheDaemonOfItsFleet(t *testing.T) {
	root := fleetDevice(t)
	socket := filepath.Join(root, "run/tope-updater/api.sock")
	require.NoError(t, os.MkdirAll(filepath.Dir(socket), 0o755))
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	now := time.Now().UTC()
	well := fleet.Status{Source: "channel stable", Text: "nothing is offered", Heard: now}
	s := &well
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/api/v2/fleet":
			answer(w, r)
		case s == nil:
			http.NotFound(w, r)
		default:
			_ = json.NewEncoder(w).Encode(s)
		}
	})}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	says := func(change func(*fleet.Status)) []doctor.Finding {
		t.Helper()
		now := well
		change(&now)
		s = &now
		return theFleet(examined(t, root, channelled))
	}

	all := says(func(*fleet.Status) {})
	require.Len(t, all, 1)
	requireFinding(t, all, "fleet", pass, "channel stable: nothing is offered")

	all = says(func(s *fleet.Status) { s.Failure, s.Heard = "no such host", time.Time{} })
	f := requireFinding(t, all, "fleet", warn, "channel stable could not be asked since the daemon was started: no such host")
	require.Contains(t, f.Run, "fleet check")
	all = says(func(s *fleet.Status) { s.Failure = "no such host" })
	requireFinding(t, all, "fleet", warn, "could not be asked since "+now.Format(time.DateTime))
	requireFinding(t, says(func(s *fleet.Status) { s.Alarm = "nothing was signed since May" }), "fleet", warn, "nothing was signed since May")
	requireFinding(t, says(func(s *fleet.Status) { s.Source = "" }), "fleet", warn, "a configuration from before")
	requireFinding(t, says(func(s *fleet.Status) { s.Wait = &journal.Wait{Reason: string(fleet.Failed)} }), "fleet", warn, "channel stable: nothing is offered")

	// What is told of the token is not told again as the daemon's failure, and the rest is.
	well.Failure = "poll: cannot use the token: open " + filepath.Join(root, "etc/token") + ": no such file or directory"
	s = &well
	all = theFleet(examined(t, root, served+"token_file = \"/etc/token\"\n"))
	require.Len(t, all, 1)
	requireFinding(t, all, "fleet", fail, "fleet.token_file: open ")
	well.Failure = ""
	all = theFleet(examined(t, root, channelled+"veto = [\"/nowhere/busy\"]\n"))
	require.Len(t, all, 2)
	requireFinding(t, all, "fleet", warn, "fleet.veto: there is no program /nowhere/busy, and that counts as \"busy\"")
	require.Len(t, theFleet(examined(t, root, channelled+"veto = [\"/bin/true\"]\n")), 1)

	notice := func(age time.Duration) journal.Notice {
		return journal.Notice{Origin: &journal.Origin{Source: "channel stable"}, State: "Committed", Time: now.Add(-age)}
	}
	all = says(func(s *fleet.Status) {
		s.Untold = "503"
		s.Outbox = []journal.Notice{notice(50 * time.Hour), notice(25 * time.Hour), notice(23 * time.Hour)}
	})
	requireFinding(t, all, "fleet", warn, "the source has not been told 2 things, the oldest of "+now.Add(-50*time.Hour).Format(time.DateTime)+": 503")
	require.Len(t, says(func(s *fleet.Status) { s.Outbox = []journal.Notice{notice(23 * time.Hour)} }), 1)

	all = says(func(s *fleet.Status) { s.Held = &journal.Held{Hold: journal.Hold{Why: "a fair"}, Time: now} })
	f = requireFinding(t, all, "fleet", warn, "until somebody releases them: a fair")
	require.Contains(t, f.Run, "fleet release")
	require.Len(t, says(func(s *fleet.Status) { s.Held = &journal.Held{Hold: journal.Hold{Until: now.Add(time.Hour)}} }), 1)

	signed := func(issued, expires time.Duration) []doctor.Finding {
		return says(func(s *fleet.Status) {
			s.Details = []string{"serial 12", "issued " + now.Add(issued).Format(time.RFC3339), "expires " + now.Add(expires).Format(time.RFC3339)}
		})
	}
	requireFinding(t, signed(-80*time.Hour, 20*time.Hour), "fleet", warn, "the channel is signed until "+now.Add(20*time.Hour).Format(time.DateTime))
	require.Len(t, signed(-70*time.Hour, 30*time.Hour), 1)
	require.Len(t, signed(-80*time.Hour, -time.Hour), 1)

	require.NoError(t, os.Remove(filepath.Join(root, "etc/machine-id")))
	all = says(func(s *fleet.Status) {
		s.Alarm = "cannot tell which device this is: /etc/machine-id is missing; set fleet.id"
	})
	require.Len(t, all, 1, "it is said once")
	s = nil
	requireFinding(t, theFleet(examined(t, root, channelled)), "fleet", warn, "the daemon does not tell of it")
}
