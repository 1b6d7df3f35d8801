# The service: base and `serve` only, no root, nothing written. tests/test_container.py runs the RUN lines in a clean
# virtual environment. Build: docker build -t respiratory .
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /srv/build
COPY pyproject.toml README.md LICENSE run_pipeline.py ./
COPY .ci/supported_python.py .ci/supported_python.py
COPY pipeline pipeline
COPY stages stages
COPY configs configs
COPY pretrained pretrained
RUN python -m pip install --no-cache-dir --disable-pip-version-check '.[serve]'
RUN python -m compileall -q pipeline stages

RUN useradd --system --no-create-home --uid 10001 respiratory
USER 10001
WORKDIR /srv/build
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=2)"]
# A key is needed: docs/deployment.md tells how one is made and where its hash is kept.
ENTRYPOINT ["respiratory", "serve", "--host", "0.0.0.0", "--bundles", "pretrained"]
CMD ["--keys", "/run/secrets/keys"]
