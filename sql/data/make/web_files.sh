#!/bin/sh
# The web root that nginx serves.
set -eu
mkdir -p /srv/shop/www/assets /srv/shop/www/img /srv/shop/www/private /srv/shop/www/uploads /var/log/nginx
cd /srv/shop/www
echo '<html>shop</html>' > index.html
for h in 3f9c1a 77b0de; do echo "// $h" > assets/app.$h.js; echo "/* $h */" > assets/site.$h.css; done
for i in $(seq 1 40); do head -c $((200 + i * 37)) /dev/zero > img/p$((1000 + i)).jpg; done
for i in 1007 1019 1033; do chmod 600 img/p$i.jpg; done
echo 'ops:$apr1$sample$Qx0Jb2nS1mO4bHnFh0lYf1' > /srv/shop/htpasswd
