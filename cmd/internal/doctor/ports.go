package doctor

import (
	"context"
	"fmt"
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
	listen := c.Config.HTTP.Listen
	if listen == "" {
		c.pass("there is none over TCP: [http] listen is empty")
		return
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return // the configuration would have been refused
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	status, server, err := ask(ctx, "http://"+net.JoinHostPort(host, port)+"/")
	switch holder := look.Listener(port); {
	case err == nil && server == serverName:
		c.pass("answers on %s", listen)
	case err == nil:
		c.fail("stop it, or give the updater another port by [http] listen", "%s is answered (%s) by a program that is not the updater but %s", listen, status, holder)
	case holder != "":
		c.fail("stop it, or give the updater another port by [http] listen", "%s is held by %s, which does not answer: %s", listen, holder, err)
	default:
		c.warn("start the daemon: systemctl start tope-updater", "nobody listens on %s", listen)
	}
}

// deviceAPI is the program that hears of progress. It may be down for a while.
func (c *checkup) deviceAPI(ctx context.Context) {
	if c.Config.DeviceAPI.URL == "" {
		c.pass("progress is not reported: [device_api] url is empty")
		return
	}
	status, _, err := ask(ctx, c.Config.DeviceAPI.URL)
	if err != nil {
		do := "start device-api, or set [device_api] url to where it listens"
		if u, e := url.Parse(c.Config.DeviceAPI.URL); e == nil {
			if holder := look.Listener(u.Port()); holder != "" {
				do = fmt.Sprintf("the port is held by %s: see its log", holder)
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
