package device

import "fmt"

// The addresses, on every machine's own loopback interface.
const (
	addrAPI      = "127.0.0.1:9080"
	addrWeb      = "127.0.0.1:8080"
	addrPackages = "127.0.0.1:8000"
)

// The releases. The device comes with before, was at factory before that, and was
// born with factory. The good release is slow to be ready, as real services are:
// a gate that looks too soon after a boot takes it for a bad one.
func factory() Release { return Release{Version: "0.9.0"} }
func before() Release  { return Release{Version: "1.0.0", Tool: "old-tool", Web: "afraid"} }
func good() Release    { return Release{Version: "1.1.0", Tool: "new-tool", API: "ready-after=200ms"} }
func broken() Release  { return Release{Version: "1.2.0", Tool: "new-tool", Web: "unhealthy"} }
func hostile() Release { return Release{Version: "1.3.0", Tool: "new-tool", Web: "poison unhealthy"} }
func later() Release   { return Release{Version: "1.4.0"} }

// The releases of the flows with native bundles: a device with resident needs
// only the new parts of trusted.
func resident() Release { return Release{Version: "1.0.1", Tool: "old-tool", Art: true} }

func trusted() Release {
	return Release{Version: "1.1.1", Tool: "new-tool", API: "ready-after=200ms", Art: true, Able: true}
}

// renewed carries an updater of its own.
func renewed() Release {
	return Release{Version: "1.1.2", Tool: "new-tool", Updater: "new"}
}

// proven is what the committed updater is before any release carried one.
func proven() []byte { return Release{Updater: "old"}.updater() }

func releases() []Release {
	return []Release{factory(), before(), good(), broken(), hostile(), later(), resident(), trusted(), renewed()}
}

// Flow is one task for a device.
type Flow struct {
	Name string
	// About describes the flow for people.
	About string
	// Args are the verb and its arguments.
	Args []string
	// Empty: the device begins without any version, and without a journal.
	Empty bool
	// Signed: the device comes with resident and has a key, so that it takes
	// native bundles only.
	Signed bool
	// Spoilt are files of the installed version that are damaged beforehand.
	Spoilt []string
	// Part makes the flow try one point of so many of a sample; 0 for all of them.
	Part int
	// Exit is the exit status of an undisturbed run.
	Exit int
	// Ends are how the device may end after one power cut. Unchanged is always
	// allowed as long as nothing was accepted.
	Ends []End
	// Lost may come out too when the cut took unsynced changes: the
	// poison, which no service syncs.
	Lost []End
	// More may come out when the device is cut again and again, or calls fail.
	More []End
	// Full may come out when the disk has no room even for a link: then previous
	// may stay where the update has put it.
	Full []End
}

// End is how a device may end: the last update's state, and the pointers.
type End struct {
	State             string
	Current, Previous string
}

func (e End) String() string {
	return fmt.Sprintf("%s at %s", e.State, orNone(e.Current))
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// unchanged is the state of a device whose update was never accepted.
const unchanged = "Unchanged"

func url(r Release) string { return "http://" + addrPackages + "/" + r.Version + ".zip" }

func nativeURL(r Release) string { return "http://" + addrPackages + "/" + r.Version + ".tope" }

// before is the version the device comes with, as it is installed there.
func (f Flow) before() Release {
	if !f.Signed {
		return before()
	}
	r := resident()
	r.Spoilt = f.Spoilt
	return r
}

// later is where the next update comes from.
func (f Flow) later() string {
	if f.Signed {
		return nativeURL(later())
	}
	return url(later())
}

// release finds a release by its version, in the state in which it is installed.
func (f Flow) release(version string) (Release, error) {
	for _, r := range append([]Release{f.before()}, releases()...) {
		if r.Version == version {
			return r, nil
		}
	}
	return Release{}, fmt.Errorf("there is no release %q", version)
}

// Flows are all flows.
func Flows() []Flow {
	at := func(state string, current, previous Release) End {
		return End{state, current.Version, previous.Version}
	}
	none := Release{}
	factory, before, good, broken, hostile := factory(), before(), good(), broken(), hostile()
	resident, trusted, renewed := resident(), trusted(), renewed()
	return []Flow{
		{
			Name: "install", About: "a good update", Args: []string{"install", url(good)},
			Ends: []End{at("Committed", good, before)},
			More: []End{at("RolledBack", before, factory), at("Failed", before, factory)},
			Full: []End{at("RolledBack", before, before)},
		},
		{
			Name: "rollback", About: "a bad version fails its gate", Args: []string{"install", url(broken)}, Exit: 12,
			Ends: []End{at("RolledBack", before, factory)},
			More: []End{at("FellBack", factory, factory), at("Failed", before, factory)},
			Full: []End{at("RolledBack", before, before)},
		},
		{
			Name: "factory", About: "a bad version, and the one before it is dead too", Args: []string{"install", url(hostile)}, Exit: 12,
			Ends: []End{at("FellBack", factory, factory)},
			Lost: []End{at("RolledBack", before, factory)},
			More: []End{at("RolledBack", before, factory), at("Failed", before, factory)},
			// The marker tells the way back to 1.0.0, but not the way to the factory's.
			Full: []End{at("RolledBack", before, before), at("NeedsAttention", before, before), at("NeedsAttention", before, factory)},
		},
		{
			Name: "hand", About: "a rollback by hand", Args: []string{"rollback"},
			Ends: []End{at("Committed", factory, before)},
			More: []End{at("RolledBack", before, factory), at("FellBack", factory, factory), at("Failed", before, factory)},
			Full: []End{at("RolledBack", before, before)},
		},
		{
			Name: "first", About: "the first version of a device without a journal", Args: []string{"install", url(factory)}, Empty: true,
			Ends: []End{at("Committed", factory, none)},
			More: []End{at("Failed", none, none), at("RolledBack", none, none), at("NeedsAttention", none, none)},
		},
		{
			Name: "self", About: "a release that carries an updater", Args: []string{"install", url(renewed)}, Part: 4,
			Ends: []End{at("Committed", renewed, before)},
			More: []End{at("RolledBack", before, factory), at("Failed", before, factory)},
			Full: []End{at("RolledBack", before, before)},
		},
		{
			Name: "signed", About: "a native bundle: a file is copied, others are patched or fetched, and one has capabilities",
			Args: []string{"install", nativeURL(trusted)}, Signed: true, Part: 4,
			Ends: []End{at("Committed", trusted, resident)},
			More: []End{at("RolledBack", resident, factory), at("Failed", resident, factory)},
			Full: []End{at("RolledBack", resident, resident)},
		},
		{
			Name: "damaged", About: "the same, but what is to be copied or patched is damaged on the device",
			Args: []string{"install", nativeURL(trusted)}, Signed: true, Spoilt: []string{font, picture}, Part: 6,
			Ends: []End{at("Committed", trusted, resident)},
			More: []End{at("RolledBack", resident, factory), at("Failed", resident, factory)},
			Full: []End{at("RolledBack", resident, resident)},
		},
		{
			Name: "solid", About: "the first version of a device without a journal, from a native bundle",
			Args: []string{"install", nativeURL(trusted)}, Signed: true, Empty: true, Part: 8,
			Ends: []End{at("Committed", trusted, none)},
			More: []End{at("Failed", none, none), at("RolledBack", none, none), at("NeedsAttention", none, none)},
		},
	}
}

// FlowNamed finds a flow.
func FlowNamed(name string) (Flow, bool) {
	for _, f := range Flows() {
		if f.Name == name {
			return f, true
		}
	}
	return Flow{}, false
}

// checker is the device's own program that checks the web server.
const checker = "/usr/lib/crashlab/check-web"

// configuration is the device's configuration. A version must pass the gate or not
// however busy the laboratory is: the web server's check is a program that waits
// for one answer, whatever it is.
const configuration = `[http]
listen = ""
[device_api]
url = ""
[trust]
file_capabilities = true
unsigned_brings = ["commands", "updater"]
[services]
manager = "embedded"
[[service]]
name = "device-api"
stop_timeout = "10s"
[[service.health]]
kind = "active"
stable = "1ms"
timeout = "20s"
[[service.health]]
kind = "http"
url = "http://` + addrAPI + `/health"
timeout = "20s"
[[service]]
name = "web-server"
after = ["device-api"]
stop_timeout = "10s"
[[service.health]]
kind = "command"
command = ["` + checker + `"]
timeout = "1ms"
`
