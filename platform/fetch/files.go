package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/platform/secret"
)

// File is a file that the settings name, as it is now.
type File struct {
	// Key is the key of the configuration that names it, below [download].
	Key string
	// Path is the device's, and Host where it is on this host.
	Path, Host string
	// Secret says that not everybody should be able to read it.
	Secret bool
	// Expires is when the last of its certificates ends for a file of authorities, and
	// when the device's own does; zero for a file without any.
	Expires time.Time
	// Err is why it cannot be used; nil when it can.
	Err error
}

// Files reads every file that the settings name, as a request would, and says how it is.
// It asks nobody on the network.
func (t *Transport) Files() (files []File) {
	add := func(key, path string, secret bool, judge func(f *File) error) {
		if path == "" {
			return
		}
		f := File{Key: key, Path: path, Secret: secret}
		if f.Host, f.Err = t.cfg.Resolve(path); f.Err == nil {
			f.Err = judge(&f)
		}
		files = append(files, f)
	}
	add("proxy_auth", t.cfg.ProxyAuth, true, func(*File) error {
		_, err := t.proxyUser()
		return err
	})
	add("ca_file", t.cfg.CAFile, false, func(f *File) error { return t.authorities(f) })
	for i := range t.cfg.Servers {
		v := &t.cfg.Servers[i]
		var pair *tls.Certificate
		add("server.client_cert", v.ClientCert, false, func(f *File) (err error) {
			if pair, err = t.certificate(v); err == nil && pair.Leaf != nil {
				f.Expires = pair.Leaf.NotAfter
			}
			return err
		})
		add("server.client_key", v.ClientKey, true, func(*File) error {
			_, err := t.read(v.ClientKey)
			return err
		})
		for _, name := range sorted(v.HeaderFiles) {
			add("server.header_files", v.HeaderFiles[name], true, func(f *File) error {
				_, err := secret.Read(f.Host)
				return err
			})
		}
	}
	return files
}

// authorities judges ca_file.
func (t *Transport) authorities(f *File) error {
	if _, err := t.roots(f.Path); err != nil {
		return err
	}
	rest, err := t.read(f.Path)
	if err != nil {
		return err
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && cert.NotAfter.After(f.Expires) {
			f.Expires = cert.NotAfter
		}
	}
}

// Check reports every file that cannot be used, under its key.
func (t *Transport) Check() error {
	var bad []error
	for _, f := range t.Files() {
		if f.Err != nil {
			bad = append(bad, fmt.Errorf("download.%s: %w", f.Key, f.Err))
		}
	}
	return errors.Join(bad...)
}
