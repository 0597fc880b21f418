# For CPUs: docker build -t safmn-bench . && docker run --rm -v "$PWD/results:/results" safmn-bench run --variant w_o_MR
# For GPUs: Dockerfile.cuda
FROM python:3.11-slim
ARG TORCH=https://download.pytorch.org/whl/cpu
# g++ builds the native form for the processor at hand when it is first asked for
RUN apt-get update && apt-get install --yes --no-install-recommends g++ git && rm -rf /var/lib/apt/lists/*
COPY constraints.txt /tmp/
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt --index-url "$TORCH" --extra-index-url https://pypi.org/simple torch
WORKDIR /suite
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt '.[onnx]' \
    && useradd --create-home bench && mkdir /results && chown bench /results
USER bench
WORKDIR /results
ENTRYPOINT ["safmn-bench"]
CMD ["--help"]
