FROM python:3.12-slim-bookworm AS build
WORKDIR /srv/postern
COPY . .
RUN ./deploy/image/install.sh

FROM python:3.12-slim-bookworm
COPY --from=build /srv/postern /srv/postern
# A number, so that Kubernetes can see that it isn't root. It owns nothing: the file system may be read-only.
USER 10001:10001
WORKDIR /srv/postern
ENV PATH=/srv/postern/.venv/bin:$PATH \
    ENVIRONMENT=production \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["postern", "serve", "--host", "0.0.0.0", "--port", "8000"]
