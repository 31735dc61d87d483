package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// answerTimeout is for services of this device.
const answerTimeout = 3 * time.Second

// api asks the HTTP API, as a client on the device would, and looks at who
// holds its port when it does not answer.
func (c *checkup) api(ctx context.Context) {
	listen := c.cfg.HTTP.Listen
	if listen == "" {
		c.pass("there is none over TCP: [http] listen is empty")
		return
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return // the configuration would not have been taken
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	status, server, err := ask(ctx, "http://"+net.JoinHostPort(host, port)+"/")
	switch holder := holderOf(port); {
	case err == nil && server == serverName:
		c.pass("answers on %s", listen)
	case err == nil:
		c.fail("stop it, or give the updater another port by [http] listen", "what answers on %s (%s) is not the updater but %s", listen, status, holder)
	case holder != "":
		c.fail("stop it, or give the updater another port by [http] listen", "%s is held by %s, which does not answer: %s", listen, holder, err)
	default:
		c.warn("start the daemon: systemctl start tope-updater", "nobody listens on %s", listen)
	}
}

// deviceAPI is who hears of progress. It may be down for a while.
func (c *checkup) deviceAPI(ctx context.Context) {
	if c.cfg.DeviceAPI.URL == "" {
		c.pass("nobody hears of progress: [device_api] url is empty")
		return
	}
	status, _, err := ask(ctx, c.cfg.DeviceAPI.URL)
	if err != nil {
		do := "start device-api, or set [device_api] url to where it listens"
		if u, e := url.Parse(c.cfg.DeviceAPI.URL); e == nil {
			if holder := holderOf(u.Port()); holder != "" {
				do = fmt.Sprintf("the port is held by %s: see its log", holder)
			}
		}
		c.warn(do, "device-api does not answer, and hears of no progress: %s", err)
		return
	}
	c.pass("device-api answers on %s (%s)", c.cfg.DeviceAPI.URL, status)
}

// serverName is how the updater's answer to GET / names its service.
const serverName = "tope-updater"

// ask makes one request. service is what the answer says of itself, if it does.
func ask(ctx context.Context, address string) (status, service string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", "", err
	}
	// Never by way of a proxy: these are programs of this device.
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	head := make([]byte, 4096)
	n, _ := resp.Body.Read(head) // whatever comes first will do
	if strings.Contains(string(head[:n]), strconv.Quote(serverName)) {
		service = serverName
	}
	return resp.Status, service, nil
}

// holderOf is the process that listens on a TCP port, "" when there is none.
// Only root sees whose others are.
func holderOf(port string) string {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	inode := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode == "" {
			inode = listener(table, n)
		}
	}
	if inode == "" {
		return ""
	}
	sockets, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is good
	for _, fd := range sockets {
		if target, err := os.Readlink(fd); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm") // it may have ended
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
	}
	return "a process that cannot be seen from here"
}

// listener is the inode of the socket that listens on a port; see
// Documentation/networking/proc_net_tcp.rst of the kernel.
func listener(table string, port uint64) (inode string) {
	const listening = "0A"
	f, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		_, local, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(local, 16, 16); err == nil && n == port {
			return fields[9]
		}
	}
	return ""
}
