package main

import (
	"errors"
	"net"
	"os"
	"slices"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/certificate"
	"github.com/tope/updater/platform/disk"
)

// certificate is the one for the network: the operator's, or the device's own. It is nil
// where the network has no door.
func (d *device) certificate() (*certificate.Files, error) {
	h := d.cfg.HTTP
	if h.LAN == "" {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	cert, key := h.TLSCert, h.TLSKey
	if cert == "" {
		cert = d.cfg.Paths.Certificate()
		key = cert
	}
	f := &certificate.Files{}
	var err error
	if f.Cert, err = d.root.Resolve(cert); err != nil {
		return nil, err
	}
	f.Key, err = d.root.Resolve(key)
	return f, err
}

// listenLAN opens the network's door, if the configuration has one. Without a certificate
// it stays closed, and the daemon runs all the same: an update matters more.
func (d *daemon) listenLAN(o *httpapi.ServerOptions) {
	files, err := d.certificate()
	if files == nil && err == nil {
		return
	}
	own := d.cfg.HTTP.TLSCert == ""
	if err == nil && own {
		err = d.makeCertificate(files.Cert)
	}
	status := httpapi.LANStatus{Address: d.cfg.HTTP.LAN, SelfSigned: own}
	d.lan = func() httpapi.LANStatus {
		now := status
		if err != nil {
			now.Problem = err.Error()
			return now
		}
		pair, problem := files.Load()
		if pair != nil {
			now.Fingerprint = certificate.Fingerprint(pair)
		}
		if problem = errors.Join(d.lanUnbound, problem); problem != nil {
			now.Problem = problem.Error()
		}
		return now
	}
	if now := d.lan(); now.Fingerprint == "" {
		d.log.Error("the network's door stays closed: there is no certificate", "address", now.Address, "err", now.Problem)
		return
	}
	o.LAN, o.TLS = []string{d.cfg.HTTP.LAN}, files.TLS()
}

// makeCertificate makes the device's own certificate, if there is none yet, for the names
// by which it is called.
func (d *daemon) makeCertificate(path string) error {
	state, err := d.root.Resolve(d.cfg.Paths.State)
	if err != nil {
		return err
	}
	if err := disk.MkdirAll(state, 0o755); err != nil {
		return err
	}
	names := slices.Concat([]string{"localhost", "127.0.0.1", "::1"}, d.cfg.HTTP.Hosts)
	if name, err := os.Hostname(); err == nil {
		names = append(names, name, name+".local")
	}
	if host, _, err := net.SplitHostPort(d.cfg.HTTP.LAN); err == nil && host != "" && !net.ParseIP(host).IsUnspecified() {
		names = append(names, host)
	}
	return certificate.Own(path, names)
}
