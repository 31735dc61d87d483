package doctor

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/platform/look"
)

// answerTimeout is short, because the services are on this device.
const answerTimeout = 3 * time.Second

// api asks the HTTP API, as a client on the device would. When the API does not
// answer, it looks for the process that holds the port.
func (c *checkup) api(ctx context.Context) {
	listen := c.Config.HTTP.Local()
	if c.ofAnotherSystem() {
		c.pass("not checked: below --root, the ports are those of this host")
		return
	}
	if listen == "" {
		c.pass("there is none over TCP: [http] listen is empty")
		return
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return // the configuration would have been refused
	}
	status, server, err := ask(ctx, "http://"+net.JoinHostPort(host, port)+"/")
	holder, held := look.Listener(port)
	other := say("stop it, or give the updater another port by [http] listen")
	switch {
	case c.otherDaemon != 0 && !held:
		c.pass("nobody listens on %s yet", listen)
	case c.otherDaemon != 0 && holder.PID == c.otherDaemon:
		c.pass("the daemon that runs answers on %s, until it is restarted", listen)
	case held && holder.PID != 0 && c.daemonAnswers() && holder.PID == c.socket.PID, held && holder.PID == 0 && err == nil && server == serverName:
		c.pass("answers on %s", listen)
	case held && holder.PID != 0 && err == nil && server == serverName && c.isProcessOurs(holder.PID):
		c.pass("answers on %s", listen)
	case err == nil:
		c.fail(other, "%s is answered (%s) by a program that is not the updater but %s", listen, status, holder)
	case held:
		c.fail(other, "%s is held by %s, which does not answer: %s", listen, holder, err)
	case c.daemonAnswers():
		c.warn(c.restart(), "nobody listens on %s, though a daemon runs", listen)
	case c.bySystemd():
		c.warn(run("systemctl start %s", daemonUnit), "nobody listens on %s", listen)
	default:
		c.warn(say("start the daemon: %s", c.updater("serve")), "nobody listens on %s", listen)
	}
}

// isProcessOurs reports whether a process runs one of this device's updaters.
func (c *checkup) isProcessOurs(pid int) bool {
	program, err := look.ProgramOf(pid)
	return err == nil && c.isUpdater(&c.seen, program)
}

// deviceAPI is the program that hears of progress. It may be down for a while.
func (c *checkup) deviceAPI(ctx context.Context) {
	if c.ofAnotherSystem() {
		c.pass("not checked: below --root, the ports are those of this host")
		return
	}
	if c.Config.DeviceAPI.URL == "" {
		c.pass("progress is not reported: [device_api] url is empty")
		return
	}
	status, _, err := ask(ctx, c.Config.DeviceAPI.URL)
	if err != nil {
		do := say("start device-api, or set [device_api] url to where it listens")
		for _, s := range c.Config.Service {
			if s.Name == "device-api" && c.bySystemd() {
				do.run = "systemctl restart " + s.Service().UnitName()
			}
		}
		if u, e := url.Parse(c.Config.DeviceAPI.URL); e == nil {
			if holder, held := look.Listener(u.Port()); held {
				do = say("the port is held by %s: see its log", holder)
			}
		}
		c.warn(do, "device-api does not answer, so it learns of no progress: %s", err)
		return
	}
	c.pass("device-api answers on %s (%s)", c.Config.DeviceAPI.URL, status)
}

// serverName is how the updater's answer to GET / names its service.
const serverName = "tope-updater"

// ask makes one request. service is the name in the answer, if it has one.
func ask(ctx context.Context, address string) (status, service string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", "", err
	}
	// Never use a proxy: these programs are on this device.
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	head := make([]byte, 4096)
	n, _ := resp.Body.Read(head) // the first piece is enough
	if strings.Contains(string(head[:n]), strconv.Quote(serverName)) {
		service = serverName
	}
	return resp.Status, service, nil
}
