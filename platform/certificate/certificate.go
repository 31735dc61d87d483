// Package certificate has the certificate by which a client on the network knows this
// device: the operator's, or one that the device has made for itself.
//
// A certificate of the device's own says nothing by itself: its fingerprint does, which
// the device shows (log, status, doctor) and the client compares. It is made once and
// kept, so that the fingerprint stays.
//
// Start at Own and Files.
package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/secret"
)

// FileName is the name of the device's own certificate and key in the state directory.
const FileName = "lan.pem"

const (
	// maxFile bounds a file of certificates or of a key, in bytes.
	maxFile = 256 << 10
	// fileMode: the key is in it.
	fileMode = 0o600
	// serialBits keep two certificates of one name apart.
	serialBits = 127
)

// Own makes the device's own certificate for names and addresses at a host path, unless
// there is one. One file has certificate and key, so that they always belong together.
// If the power goes meanwhile there is no file, or a whole one. A file that is there is
// never replaced, not even a damaged one: a client may know its fingerprint.
func Own(path string, names []string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return fmt.Errorf("cannot make a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "TOP.E Updater"},
		// It is known by its fingerprint, and the device's clock may be wrong: it is valid
		// at any time (RFC 5280, 4.1.2.5, for the end).
		NotBefore: time.Unix(0, 0).UTC(), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			continue
		}
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("cannot make a certificate: %w", err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot make a key: %w", err)
	}
	var text bytes.Buffer
	text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	text.Write(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
	if err := disk.WriteFile(path, text.Bytes(), fileMode); err != nil {
		return fmt.Errorf("cannot keep the certificate: %w", err)
	}
	return nil
}

// Files are the host paths of a certificate, with those that lead to its authority, and
// of its key, in PEM; they may be one file. A certificate that is renewed is in use from
// the next connection on. Files is safe for concurrent use.
type Files struct {
	Cert, Key string

	mu   sync.Mutex
	pair *tls.Certificate
	of   [2]fs.FileInfo // the files that pair was read from
}

// Load reads the files if they are others than before. The error names the file. A pair
// that cannot be read leaves the one before in use.
func (f *Files) Load() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var now [2]fs.FileInfo
	for i, path := range []string{f.Cert, f.Key} {
		info, err := os.Stat(path)
		if err != nil {
			return f.pair, fmt.Errorf("cannot use the certificate: %w", err)
		}
		now[i] = info
	}
	if f.pair != nil && same(now[0], f.of[0]) && same(now[1], f.of[1]) {
		return f.pair, nil
	}
	pair, err := read(f.Cert, f.Key)
	if err != nil {
		return f.pair, err
	}
	f.pair, f.of = pair, now
	return pair, nil
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func read(cert, key string) (*tls.Certificate, error) {
	certText, err := secret.ReadFile(cert, maxFile)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate: %w", err)
	}
	keyText, err := secret.ReadFile(key, maxFile)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate's key: %w", err)
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate %s with the key %s: %w", cert, key, err)
	}
	return &pair, nil
}

// TLS is how a server uses the certificate: TLS 1.2 or newer.
func (f *Files) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := f.Load()
			if pair != nil {
				return pair, nil // one that was renewed halfway leaves the old one in use
			}
			return nil, err
		},
	}
}

// Fingerprint is the SHA-256 of a certificate as openssl and browsers write it: pairs of
// upper-case hex digits with colons between them.
func Fingerprint(pair *tls.Certificate) string {
	sum := sha256.Sum256(pair.Certificate[0])
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}
