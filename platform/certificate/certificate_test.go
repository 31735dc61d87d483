package certificate

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch/fetchtest"
)

func TestOwnIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	require.NoError(t, Own(path, []string{"printer.lan", "192.0.2.7", ""}))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	f := Files{Cert: path, Key: path}
	first, err := f.Load()
	require.NoError(t, err)
	require.NoError(t, Own(path, []string{"another"}))
	again := Files{Cert: path, Key: path}
	second, err := again.Load()
	require.NoError(t, err)
	require.Equal(t, Fingerprint(first), Fingerprint(second))

	leaf, err := x509.ParseCertificate(first.Certificate[0])
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	for _, name := range []string{"printer.lan", "192.0.2.7"} {
		_, err = leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool})
		require.NoError(t, err, "a client that trusts this certificate finds the name in it")
	}
	for _, at := range []time.Time{time.Unix(1, 0), time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at})
		require.NoError(t, err, "whatever the clock says")
	}
	sum := sha256.Sum256(leaf.Raw)
	require.Equal(t, strings.ToUpper(hex.EncodeToString(sum[:])), strings.ReplaceAll(Fingerprint(first), ":", ""))
}

// TestANameIsInItOnce: a device that listens on 127.0.0.1 is told that address twice.
func TestANameIsInItOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	require.NoError(t, Own(path, []string{"localhost", "127.0.0.1", "::1", "127.0.0.1", "localhost"}))
	pair, err := (&Files{Cert: path, Key: path}).Load()
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	require.Equal(t, []string{"localhost"}, leaf.DNSNames)
	require.Equal(t, []string{"127.0.0.1", "::1"}, []string{leaf.IPAddresses[0].String(), leaf.IPAddresses[1].String()})
	require.Len(t, leaf.IPAddresses, 2)
}

// TestADamagedFileIsNotReplaced: a client may have pinned what was in it.
func TestADamagedFileIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	require.NoError(t, Own(path, nil))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "damaged", string(text))
	f := Files{Cert: path, Key: path}
	_, err = f.Load()
	require.ErrorContains(t, err, path)
	_, err = f.TLS().GetCertificate(nil)
	require.ErrorContains(t, err, path)
}

func TestARenewedCertificateIsUsedFromTheNextConnectionOn(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	dir := t.TempDir()
	f := Files{Cert: filepath.Join(dir, "device.pem"), Key: filepath.Join(dir, "device.key")}
	put := func(cert, key []byte) {
		require.NoError(t, os.WriteFile(f.Key, key, 0o600))
		require.NoError(t, os.WriteFile(f.Cert, cert, 0o600))
	}
	put(ca.Issue(time.Time{}, time.Time{}, "printer.lan"))
	l, err := tls.Listen("tcp", "127.0.0.1:0", f.TLS())
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	shown := func() string {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: ca.Pool, ServerName: "printer.lan"})
		require.NoError(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := shown()
	require.Equal(t, first, shown())
	put(ca.Issue(time.Time{}, time.Time{}, "printer.lan"))
	second := shown()
	require.NotEqual(t, first, second)
	// The key of another certificate: renewed halfway.
	_, key := ca.Issue(time.Time{}, time.Time{}, "printer.lan")
	require.NoError(t, os.WriteFile(f.Key, key, 0o600))
	require.Equal(t, second, shown(), "the old pair stays in use")

	old := &tls.Config{RootCAs: ca.Pool, ServerName: "printer.lan", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.Error(t, tls.Client(c, old).Handshake())
	c.Close()
}
